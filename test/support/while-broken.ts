/** What is seen of it while it is broken. It is put back whatever fails, for the tests that come after. */
export async function whileBroken<T>(
  cause: () => Promise<unknown>,
  see: () => Promise<T>,
  putBack: () => unknown,
): Promise<T> {
  try {
    await cause();
    return await see();
  } finally {
    await putBack();
  }
}
