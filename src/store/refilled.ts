import type { Refilled } from '../domain/waiting-time.ts';

/** What mark-ready.lua writes down of instances that came up; nothing for what somebody else may have written. */
export function parseRefilled(texts: readonly string[]): readonly Refilled[] {
  return texts.flatMap((text) => {
    const found = /^(\d{1,15}) (\d{1,15}) (\d{1,9})$/.exec(text);
    return found === null ? [] : [{ atMs: Number(found[1]), tookMs: Number(found[2]), left: Number(found[3]) }];
  });
}
