import type { Redis as Valkey } from 'iovalkey';
import { FAILURE_REPORT_VERSION } from '../../src/domain/failure-report.ts';
import { newInstanceId } from '../../src/domain/ids.ts';
import type { operatorOf } from './operator.ts';

/** Whatever can be written by others, in one text. */
const HOSTILE = `<img src=x onerror="document.title='taken'">'"&\u001b[31m\u202etxt.exe`;
/** In the source of a page. */
export const HOSTILE_AS_SHOWN =
  '&lt;img src=x onerror=&quot;document.title=&#39;taken&#39;&quot;&gt;' + '&#39;&quot;&amp;·[31m·txt.exe';

/** On every page of the dashboard, as what it is about would have written it: the template `failing` has this image. */
export async function fillWithHostileText(
  valkey: Valkey,
  operator: ReturnType<typeof operatorOf>,
  image: string,
): Promise<void> {
  const report = {
    v: FAILURE_REPORT_VERSION,
    instance: newInstanceId(),
    template: 'failing',
    node: 'node0',
    atMs: Date.now(),
    code: 'container_failed',
    reason: HOSTILE,
    remedy: HOSTILE,
    exitCode: 1,
    signal: null,
    output: `${HOSTILE}\n${'x'.repeat(900)}`,
  };
  await valkey.lpush('failures:failing', JSON.stringify(report));
  await valkey.hset('refill_pause:failing', 'failures', 4, 'until_ms', Date.now() + 600_000);
  await operator.ask('POST', '/pools/failing/pause', { reason: HOSTILE.replace(/\p{C}/gu, '') });
  await operator.ask('POST', `/pools/${encodeURIComponent(HOSTILE)}/pause`, {});
  const found = { v: 1, id: 'sha256:02', node: 'node0' };
  await valkey.hset(`image_update:${image}`, {
    refused: JSON.stringify({ ...found, why: 'failed', reason: HOSTILE, atMs: Date.now() }),
    former: JSON.stringify({ v: 1, pin: { ...found, id: 'sha256:00' }, untilMs: Date.now(), promoted: {} }),
    checked: JSON.stringify({ v: 1, atMs: Date.now(), problem: { reason: HOSTILE, sinceMs: Date.now() } }),
  });
  await valkey.hset('image_pins', image, JSON.stringify({ ...found, id: 'sha256:01' }));
  await valkey.hset('previews', 'gone-pr-1', JSON.stringify(goneWithItsTemplate('gone-pr-1', HOSTILE)));
  await operator.ask('PUT', '/bans/203.0.113.9', { for_seconds: 3_600, reason: HOSTILE.replace(/\p{C}/gu, '') });
}

/** As it is stored: a preview of a template that the file does not have. `text`: whatever others can write of it. */
function goneWithItsTemplate(name: string, text: string): object {
  const said = { from: text, image: `${text}${'x'.repeat(200)}`, title: text, by: text };
  return { v: 1, name, ...said, createdAtMs: 0, putAtMs: 0, endsAtMs: Date.now() + 86_400_000 };
}
