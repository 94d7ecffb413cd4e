/** The rules that keep instances apart are the kernel's, whoever may talk to an engine. */
export function mayRunContainers(): boolean {
  return process.getuid?.() === 0;
}
