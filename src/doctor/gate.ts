import type { Config } from '../config/config.ts';
import { ok, warning, type Check } from './check.ts';

const WHAT = 'proof of work';
/** A phone then takes some 20 s, and people leave. */
const TOO_HARD = 2_000_000;
const RAISED = /^try_it_now_gate_raised\{template="([^"]*)",reason="(\w+)"\} 1$/gm;

/** What stands between programs and the pools, and whether it does now, by what the server counts. */
export function gateCheck({ gate }: Pick<Config, 'gate'>, metrics: () => Promise<string | undefined>): Check {
  return {
    part: 'Pools',
    what: WHAT,
    run: async () => {
      const { mode, maxNumber } = gate;
      if (mode === 'off') return [ok(WHAT, 'never asked for (GATE_MODE=off): a program takes what the limits let it')];
      const when = mode === 'on' ? 'always asked for' : await raised(metrics);
      const seen = `${when}; ${Math.round(maxNumber / 2)} hashes on average`;
      return [
        maxNumber > TOO_HARD
          ? warning(WHAT, seen, 'Lower GATE_DIFFICULTY: a phone takes about a second for 100000.')
          : ok(WHAT, seen),
      ];
    },
  };
}

async function raised(metrics: () => Promise<string | undefined>): Promise<string> {
  const text = await metrics();
  // A worker has none of it.
  if (text?.includes('try_it_now_gate_raised{') !== true)
    return 'asked for when needed; whether it is now, the server does not say';
  const now = [...text.matchAll(RAISED)].map(([, template, reason]) => `${template ?? ''} (${reason ?? ''})`);
  return now.length === 0 ? 'asked for when needed, and not now' : `asked for now: ${now.join(', ')}`;
}
