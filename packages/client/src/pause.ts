/** Rejects with the signal's reason as soon as it is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let stop: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
    stop = resolve;
    signal.addEventListener('abort', stop);
  });
  clearTimeout(timer);
  if (stop !== undefined) signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
}
