/** What tags belong to, each with the tag: `zh` and `zh-Hant` for `zh-Hant-TW`. */
export function widerTags(tags: readonly string[]): (readonly [wider: string, tag: string])[] {
  return tags.flatMap((tag) => {
    const subtags = tag.split('-');
    return subtags.slice(1).map((_, at) => [subtags.slice(0, at + 1).join('-'), tag] as const);
  });
}
