/** How long each fuzzer may run: as `npm run fuzz -- --seconds=N` says, else only long enough to see that it works. */
export const fuzzSeconds = Number(process.env.PINFOLD_FUZZ_SECONDS ?? 2);
