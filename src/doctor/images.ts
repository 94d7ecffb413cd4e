import type { ImageSnapshot } from '../pool/operate-images.ts';
import { failure, ok, warning, type Check, type Observation, type Shared } from './check.ts';

const PART = 'Images';
const HELD_LONG_MS = 14 * 24 * 3_600_000;

/** Whether new images come to visitors where templates want that; nothing where none does. */
export function imageChecks(
  wanted: boolean,
  state: Shared<{ readonly images: readonly ImageSnapshot[]; readonly nowMs: number }>,
): Check[] {
  if (!wanted) return [];
  return [
    {
      part: PART,
      what: 'new ones',
      run: async () => {
        const { images, nowMs } = await state.need();
        return images.filter((image) => image.state !== 'unchecked').map((image) => observed(image, nowMs));
      },
    },
  ];
}

function observed(image: ImageSnapshot, nowMs: number): Observation {
  const { name, refused, held, checked, tried, pin, obstacle } = image;
  if (refused?.why === 'failed')
    return failure(
      name,
      `a new one is refused and reaches nobody: ${refused.reason}`,
      'Fix the image, or the template, and push it; if that leaves its digest: ' +
        `\`try-it-now images check ${name}\`.`,
    );
  if (held !== undefined) {
    const seen = `held by an operator${held.reason === undefined ? '' : `: ${held.reason}`}`;
    return nowMs - held.atMs > HELD_LONG_MS
      ? warning(name, `${seen}, for more than two weeks`, `Let go of it: \`try-it-now images release ${name}\`.`)
      : ok(name, seen);
  }
  if (obstacle !== undefined)
    return warning(
      name,
      `no host looks for new ones, or tries them: ${obstacle}`,
      'Open such a host again (`try-it-now nodes uncordon`), or give one host all of these labels (NODE_LABELS): a ' +
        'name stands for one image everywhere, so templates on different hosts take a name each.',
    );
  if (checked?.problem?.untried === true)
    return warning(
      name,
      `a new one could not be tried so far: ${checked.problem.reason}`,
      'Fix what the reason names; it is tried again by itself, or at once with ' +
        `\`try-it-now images check ${name}\`. Visitors get the one before meanwhile.`,
    );
  if (checked?.problem !== undefined)
    return warning(
      name,
      `nobody can say whether there is a new one: ${checked.problem.reason}`,
      'Look whether its registry answers this host, and whether REGISTRY_AUTH_FILE still lets it in.',
    );
  if (pin === undefined)
    return warning(name, 'no server has had it so far', 'Fetch or build it; `try-it-now nodes show` says why not.');
  if (tried !== undefined) return ok(name, `a new one is on its way: ${tried.step}`);
  return ok(name, `visitors get ${(pin.digest ?? pin.id).slice(0, 19)}`);
}
