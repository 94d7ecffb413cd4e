import type { Template } from '../domain/template.ts';
import type { PreviewSnapshot } from '../pool/operate-previews.ts';
import { distance } from '../presentation/plain-text.ts';
import { ok, warning, type Check, type Observation, type Shared } from './check.ts';

const PART = 'Previews';
/** Of those that need somebody. */
const NAMED = 5;

interface PreviewState {
  readonly previews: readonly PreviewSnapshot[];
  readonly nowMs: number;
}

/** Copies of templates that builds put; nothing where no template lets them be made, and there are none. */
export function previewChecks(templates: readonly Template[], state: Shared<PreviewState>): Check[] {
  const allowing = templates.filter(({ previews }) => previews !== undefined);
  return [
    {
      part: PART,
      what: 'all',
      run: async () => {
        const { previews, nowMs } = await state.need();
        const live = previews.filter((preview) => preview.state !== 'ended');
        const troubled = live.flatMap(trouble);
        return [
          ...allowing.map((template) => offered(template, live, nowMs)),
          ...troubled.slice(0, NAMED),
          ...(troubled.length > NAMED ? [more(troubled.length - NAMED)] : []),
        ];
      },
    },
  ];
}

function offered({ name, previews }: Template, live: readonly PreviewSnapshot[], nowMs: number): Observation {
  const [what, max] = [`of ${name}`, previews?.max ?? 0];
  const own = live.filter(({ from }) => from === name).sort((a, b) => a.endsAtMs - b.endsAtMs);
  const [first] = own;
  if (first === undefined) return ok(what, `none; ${max} may be`);
  const seen =
    `${own.length} of at most ${max}; ${first.name} ends next, ` +
    `in ${distance(new Date(first.endsAtMs).toISOString(), nowMs)}`;
  return own.length < max
    ? ok(what, seen)
    : warning(
        what,
        `${seen}; a further one is refused`,
        'Remove what nobody looks at any more (`try-it-now previews list`), or raise `previews.max` of the template.',
      );
}

function trouble({ name, state, why = '' }: PreviewSnapshot): readonly Observation[] {
  if (state === 'refused')
    return [
      warning(
        name,
        `not offered: ${why}`,
        `Put that back and reload the templates, or remove it: \`try-it-now previews remove ${name}\`.`,
      ),
    ];
  if (state !== 'failing') return [];
  return [
    warning(
      name,
      `does not come up: ${why}`,
      `\`try-it-now pool failures ${name}\` has what its app wrote; put an image that starts, or remove it.`,
    ),
  ];
}

function more(count: number): Observation {
  return warning(
    'others',
    `${count} more are not offered, or do not come up`,
    '`try-it-now previews list` shows each, and why.',
  );
}
