import type { Template } from '../domain/template.ts';
import type { UsageStore } from '../pool/interfaces/usage-store.ts';
import { ok, warning, type Check, type Shared } from './check.ts';

const PART = 'Discovery';
const WHAT = 'sees use';
const REMEDY =
  'Restart every discovery process (`systemctl restart try-it-now-discovery`) in this version, with the ' +
  'VALKEY_ADDR or VALKEY_URL of the server. A server that was stopped for good is forgotten ten minutes later.';

/** Where templates go by use: whether somebody tells what is used. */
export function usageChecks(templates: readonly Template[], usage: Pick<Shared<UsageStore>, 'need'>): Check[] {
  const [first] = templates.filter(({ idle, renewOnUse }) => idle !== undefined || renewOnUse);
  if (first === undefined) return [];
  return [
    {
      part: PART,
      what: WHAT,
      remedy: REMEDY,
      run: async () => {
        const question = { template: first.name, unusedForMs: undefined, lastsMs: undefined };
        const { complete } = await (await usage.need()).ask(question);
        if (complete) return [ok(WHAT, 'reports which instances are used')];
        return [
          warning(
            WHAT,
            'no discovery process reports which instances are used, or one, or a server that tells who is connected ' +
              'through its proxy, has been silent for 15 s: unused ones run on',
            REMEDY,
          ),
        ];
      },
    },
  ];
}
