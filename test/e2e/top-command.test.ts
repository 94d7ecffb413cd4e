import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { Program } from '../support/program.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { template } from '../support/templates.ts';
import { Terminal } from '../support/terminal.ts';

const PATIENT = { timeoutMs: 60_000 };
const ENTERED = '\u001b[?1049h';
const LEFT = '\u001b[?1049l';

let stack: Stack;
let env: Readonly<Record<string, string>>;
beforeAll(async () => {
  stack = await startStack({
    templates: [template({ pool: { target: 2, max: 4, replenishThreshold: 0 } })],
    env: { OPERATOR_KEYS: 'an-operator-key-for-top', SHUTDOWN_GRACE: '500ms' },
  });
  env = environmentOf(stack);
});
afterAll(() => stack[Symbol.asyncDispose]());

/** The lines of the last whole frame. */
function frameOf({ seen }: Terminal): string[] {
  const frames = seen
    .split('\u001b[H')
    .slice(1)
    .filter((frame) => frame.includes('\u001b[J'));
  return (frames.at(-1) ?? '').split('\u001b[J')[0]?.replaceAll('\u001b[K', '').split(/\r*\n/) ?? [];
}

it.each([
  { columns: 80, rows: 24 },
  { columns: 200, rows: 50 },
])(
  'fits into $columns by $rows, says when the server is unavailable, goes on when it is back, and leaves with q',
  async (size) => {
    await using terminal = new Terminal('top --interval 200ms', { env, ...size });
    await eventually(
      () => expect(frameOf(terminal).join('\n')).toMatch(/tiny +open +2\/2[\s\S]*provision-workers/),
      PATIENT,
    );
    await fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' });
    await eventually(() => expect(frameOf(terminal).join('\n')).toMatch(/tiny +open +[12]\/2 +1 /), PATIENT);
    expect(Math.max(...frameOf(terminal).map((line) => line.length))).toBeLessThanOrEqual(size.columns);
    expect(frameOf(terminal).join('\n').includes('STARTS/MIN')).toBe(size.columns === 200);
    await stack.restart(async () => {
      await eventually(() => expect(frameOf(terminal)[1]).toContain('The server does not answer since'), PATIENT);
    });
    await eventually(() => expect(frameOf(terminal)[1]).toBe(''), PATIENT);
    expect(terminal.seen).toContain(ENTERED);
    expect(terminal.seen).not.toContain(LEFT);
    terminal.type('q');
    expect(await terminal.exitCode()).toBe(0);
    expect(terminal.seen).toMatch(/\[\?25h.\[\?1049l$/);
  },
);

it('draws nothing but its frames, and puts the terminal back when it is told to end', async () => {
  await using terminal = new Terminal('top --interval 200ms', { env, columns: 80, rows: 24 });
  await eventually(() => expect(frameOf(terminal).join('\n')).toContain('tiny'), PATIENT);
  // As many readings as Node lets listen to one signal before it warns of them.
  await eventually(() => expect(terminal.seen.split('\u001b[H').length).toBeGreaterThan(20), PATIENT);
  expect(terminal.seen).not.toContain('Warning');
  terminal.signal('SIGTERM');
  await terminal.exitCode();
  expect(terminal.seen).toMatch(/\[\?25h.\[\?1049l$/);
});

it('prints one frame for scripts, and refuses to draw where there is no terminal', async () => {
  await using once_ = new Program(['top', '--once', '--interval', '200ms'], env);
  expect([await once_.exitCode, once_.output]).toEqual([
    0,
    expect.stringMatching(/^Try It Now at [\s\S]*tiny +open[\s\S]*Server: \d+ MiB/),
  ]);
  expect(once_.output).not.toContain('\u001b');
  await using bare = new Program(['top'], env);
  expect([await bare.exitCode, bare.output]).toEqual([1, expect.stringContaining('--once prints one frame')]);
  await using wrong = new Program(['top', '--once'], { ...env, OPERATOR_KEYS: 'some-other-operators-key' });
  expect([await wrong.exitCode, wrong.output]).toEqual([
    1,
    expect.stringContaining('does not accept this operator key'),
  ]);
});
