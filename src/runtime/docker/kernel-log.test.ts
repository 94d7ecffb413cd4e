import { expect, it } from 'vitest';
import { killedForMemory, tellsOfKill } from './kernel-log.ts';

const ID = '76948eed7d9d135aaf0e0eebcb35731fde2c0e2e94f960ac5cf0a95e4a4f82c0';
const record = (group: string, constraint = 'CONSTRAINT_MEMCG'): string =>
  `6,4242,46760463863,-;oom-kill:constraint=${constraint},nodemask=(null),cpuset=libpod-${ID},mems_allowed=0,` +
  `oom_memcg=${group},task_memcg=/libpod_parent/libpod-${ID},task=node,pid=23195,uid=1000\n`;

it.each<[string, string, boolean]>([
  ['of the container', record(`/libpod_parent/libpod-${ID}`), true],
  ['of a group within it', record(`/docker/${ID}/worker`), true],
  ['of another one', record(`/docker/${ID.replace('7', '8')}`), false],
  ['of the group of all containers', record('/libpod_parent'), false],
  ['of the whole host', record('', 'CONSTRAINT_NONE'), false],
  ['of nothing', `6,1,1,-;the container ${ID} is fine\n`, false],
])('tells by the limit that was reached: that %s', (_, text, told) => {
  expect(tellsOfKill(text, ID)).toBe(told);
});

it('ends at the newest record, or at once where the log cannot be read', async () => {
  expect(await killedForMemory('0'.repeat(64))).toBe(false);
});
