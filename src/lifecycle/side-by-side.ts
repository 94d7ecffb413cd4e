/** The results in the order of `items`, with at most so many steps at once. Rejects with the first failure. */
export async function sideBySide<Item, Result>(
  items: readonly Item[],
  most: number,
  step: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Map<number, Result>();
  const left = items.entries();
  const work = async (): Promise<void> => {
    for (const [at, item] of left) results.set(at, await step(item));
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, work));
  return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
}
