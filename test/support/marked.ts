/** Added to the errnos of a marked filter: the kernel itself never answers with such numbers. */
export const MARK = 150;

/** BPF_RET | BPF_K, and the upper half of SECCOMP_RET_ERRNO. */
const RETURN = 0x06;
const RET_ERRNO = 0x0005;

/** The same filter with these errnos moved to where no kernel code answers: shows that it was the filter that refused. */
export function markRefusals(filter: Uint8Array, errnos?: readonly number[]): Uint8Array {
  const copy = filter.slice();
  const view = new DataView(copy.buffer);
  for (let at = 0; at < copy.length; at += 8) {
    const isRefusal = view.getUint16(at, true) === RETURN && view.getUint16(at + 6, true) === RET_ERRNO;
    const errno = view.getUint16(at + 4, true);
    if (isRefusal && (errnos?.includes(errno) ?? true)) view.setUint16(at + 4, errno + MARK, true);
  }
  return copy;
}
