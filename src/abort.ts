interface Watch {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/** Node warns of a leak from the eleventh listener of a signal on, and one signal may well end a thousand runs: so it gets one. */
const watches = new WeakMap<AbortSignal, Watch>();

/** Calls back once when `signal` aborts, unless the returned function is called before. */
export function whenAborted(signal: AbortSignal, callback: () => void): () => void {
  const watch = watches.get(signal) ?? startWatch(signal);
  watch.callbacks.add(callback);
  return () => {
    if (watch.callbacks.delete(callback) && watch.callbacks.size === 0) endWatch(signal, watch);
  };
}

function startWatch(signal: AbortSignal): Watch {
  const callbacks = new Set<() => void>();
  const listener = () => {
    for (const callback of [...callbacks]) callback();
  };
  const watch = { callbacks, listener };
  watches.set(signal, watch);
  signal.addEventListener('abort', listener, { once: true });
  return watch;
}

function endWatch(signal: AbortSignal, { listener }: Watch): void {
  watches.delete(signal);
  signal.removeEventListener('abort', listener);
}
