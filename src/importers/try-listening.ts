import type { FailedTrial, Trial } from '../pool/try-template.ts';
import type { ImageFacts } from '../runtime/engine.ts';
import type { TemplateDraft } from './template-yaml.ts';
import type { Trials } from './trials.ts';

interface Way {
  readonly words: string;
  readonly key: 'args' | 'env';
  readonly draft: TemplateDraft;
}

/** What most servers take that listen for themselves alone until they are told otherwise. */
const ARGS = [
  ['--host', '0.0.0.0'],
  ['--bind', '0.0.0.0'],
] as const;
const VARIABLE = { HOST: '0.0.0.0' };

/**
 * Tries what makes common servers listen on every address, one after the other. Undefined where none of it did; the
 * draft that did comes with its trial, which may need something else now.
 */
export async function tryListening(
  trials: Trials,
  facts: ImageFacts,
  draft: TemplateDraft,
  failed: FailedTrial,
  told: (trial: FailedTrial, next: string) => void,
): Promise<(Way & { readonly trial: Trial }) | undefined> {
  let last = failed;
  for (const way of waysToListen(facts, draft)) {
    told(last, way.words);
    const trial = await trials.run(way.draft);
    if (trial.kind === 'ready' || trial.change?.kind === 'ready_status') return { ...way, trial };
    last = trial;
  }
  return undefined;
}

/** What the draft says already counts as tried. */
export function waysToListen(facts: Pick<ImageFacts, 'entrypoint' | 'command'>, draft: TemplateDraft): Way[] {
  const env = (draft['env'] ?? {}) as Readonly<Record<string, string>>;
  const args = (draft['args'] ?? []) as readonly string[];
  const [program, option] = [...facts.entrypoint, ...facts.command];
  // Words after a line for the shell are the shell's, not the server's.
  const takesArgs = !(/(^|\/)(ba|da)?sh$/.test(program ?? '') && option === '-c') && !args.includes('0.0.0.0');
  const byArgs = ARGS.map((words) => ({
    words: `args: [${[...args, ...words].join(', ')}]`,
    key: 'args' as const,
    draft: { ...draft, args: [...args, ...words] },
  }));
  const byVariable = {
    words: 'env: HOST=0.0.0.0',
    key: 'env' as const,
    draft: { ...draft, env: { ...env, ...VARIABLE } },
  };
  return [...(takesArgs ? byArgs : []), ...('HOST' in env ? [] : [byVariable])];
}
