import type { ImageFacts } from '../runtime/engine.ts';
import { askedPath, healthCommand } from './compose-values.ts';
import { templateName } from './from-compose.ts';
import type { Note, TemplateDraft } from './template-yaml.ts';

/** Ports that web apps like, likeliest first: which one of several that an image exposes people open. */
const WEB_PORTS = [80, 8080, 3000, 8000, 5000, 8888, 4000, 9000, 5601, 8081, 8443, 443];
/** Where to look first in an image that exposes nothing; what it listens on is seen once it runs. */
const FIRST_GUESS = 8080;
/** Enough for a first start of nearly any app; how much it takes is measured then. */
const TRIAL_MEMORY = '1GiB';

/** What a person says of it. */
export interface Wanted {
  readonly port?: number | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Appended to its command. */
  readonly args?: readonly string[] | undefined;
  /** Where a visitor lands. */
  readonly open?: string | undefined;
}

/** The template that an image's own description suggests, to be tried and corrected. */
export function imageDraft(
  image: string,
  facts: ImageFacts,
  wanted: Wanted,
): { readonly draft: TemplateDraft; readonly notes: readonly Note[] } {
  const notes: Note[] = [];
  const port = wanted.port ?? likelyPort(facts.ports) ?? FIRST_GUESS;
  const others = facts.ports.filter((other) => other !== port);
  if (others.length > 0)
    notes.push({
      key: 'port',
      text: `The image exposes ${facts.ports.join(', ')}; visitors reach this one only, the others stay inside.`,
    });
  if (facts.volumes.length > 0)
    notes.push({
      text: `The image keeps its data in ${facts.volumes.join(', ')}: each instance begins with what it has there.`,
    });
  const health = healthCommand(facts.healthcheck === undefined ? undefined : { test: facts.healthcheck });
  const path = health === undefined ? undefined : askedPath(health, port);
  return {
    draft: {
      name: templateName(image.replace(/@.*$/, '').replace(/^.*\//, '').replace(/:.*$/, '')),
      image,
      port,
      ...filled({ env: wanted.env, args: wanted.args, open: wanted.open }),
      ...(path === undefined ? {} : { readiness: { http: { path } } }),
      limits: { memory: TRIAL_MEMORY },
    },
    notes,
  };
}

/** Without what is not there. */
function filled(keys: Readonly<Record<string, object | string | undefined>>): TemplateDraft {
  const there = Object.entries(keys).filter(([, value]) => value !== undefined && Object.keys(value).length > 0);
  return Object.fromEntries(there);
}

function likelyPort(exposed: readonly number[]): number | undefined {
  return WEB_PORTS.find((port) => exposed.includes(port)) ?? exposed[0];
}
