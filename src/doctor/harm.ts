import type { Config } from '../config/config.ts';
import { ok, warning, type Check } from './check.ts';

const WHAT = 'visits ended for harm';

/** What becomes of who comes again after that. */
export function harmCheck({ harm, gate }: Pick<Config, 'harm' | 'gate'>): Check {
  return {
    part: 'Pools',
    what: WHAT,
    run: () => {
      const { rememberedMs, pauseMs } = harm;
      const works = gate.mode !== 'off';
      if (rememberedMs === 0 || (pauseMs === 0 && !works))
        return Promise.resolve([
          warning(
            WHAT,
            'who had one comes again at once, and each time costs this host a start and a cleanup',
            rememberedMs === 0
              ? 'Set HARM_REMEMBERED, such as 1h.'
              : 'Set HARM_PAUSE, such as 1m, or GATE_MODE to auto.',
          ),
        ]);
      const proof = works ? ['more work to prove each time'] : [];
      const pause =
        pauseMs === 0 ? [] : [`nothing for ${pauseMs / 1_000} s from the second time on, then twice as long`];
      return Promise.resolve([
        ok(WHAT, `remembered for ${rememberedMs / 60_000} min: ${[...proof, ...pause].join(', ')}`),
      ]);
    },
  };
}
