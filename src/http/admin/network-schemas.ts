import Type from 'typebox';
import { SUSPECT_KINDS, SUSPICIONS } from '../../domain/suspect.ts';

const YEAR_SECONDS = 366 * 24 * 3600;
const Time = (description: string) => Type.String({ format: 'date-time', description });
const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const forSeconds = Type.Integer({ minimum: 60, maximum: YEAR_SECONDS, description: 'Until it ends.' });
/** Who is banned sees it, and terminals print it: no control characters. */
const Reason = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
  description: 'Why. Of a ban, its clients see it.',
});
const held = Type.Integer({
  minimum: 1,
  maximum: 10_000,
  description: 'How many instances each of its addresses, and all of a /48 of IPv6 together, may hold at once.',
});

export const NetworkParams = Type.Object({
  network: Type.String({ description: 'An address or a CIDR block; a single address of IPv6 stands for its /64.' }),
});
export const BanBody = Type.Object(
  {
    for_seconds: forSeconds,
    reason: Type.Optional(Reason),
    end: Type.Optional(Type.Boolean({ description: 'End what its clients hold as well.' })),
  },
  { additionalProperties: false },
);
export const AllowanceBody = Type.Object(
  { for_seconds: forSeconds, reason: Type.Optional(Reason), held },
  { additionalProperties: false },
);

const rule = {
  network: Type.String({ description: 'As it is matched.' }),
  since: Time('When it was set.'),
  until: Time('When it ends by itself.'),
  reason: Nullable(Type.String()),
};
const BanRuleBody = Type.Object(rule, { description: 'Nothing is handed out to this network.' });
export const BannedBody = Type.Object(
  { ...rule, ended: Type.Integer({ minimum: 0, description: 'How many instances were ended with it.' }) },
  { description: 'The ban.' },
);
export const BansBody = Type.Object(
  { bans: Type.Array(BanRuleBody) },
  { description: 'The one that ends first first.' },
);
const Count = (description: string) => Type.Integer({ minimum: 0, description });
const SuspectBody = Type.Object(
  {
    kind: Type.Enum([...SUSPECT_KINDS], { description: '`network`: a /48 of IPv6. `visitor`: one browser.' }),
    who: Type.String({ description: 'An address, a network, the host of a site, or a digest that names a visitor.' }),
    why: Type.Enum([...SUSPICIONS], {
      description:
        '`share` of what is handed out, `unopened` when ended, `refused` by limits again and again, `harm` to others.',
    }),
    taken: Count('Instances, within ten minutes, as all that follow.'),
    taken_by_all: Count('By all who have no API key and no allowance.'),
    ended: Count('Visits that were over.'),
    unopened: Count('Of them, without a page.'),
    refused: Count('By limits.'),
    harmful: Count('Visits that were ended because they harmed others.'),
    since: Time('When it was found first, since it was quiet for an hour.'),
    last: Time('When it was found last.'),
    ban: Nullable(Type.String({ description: 'The command that bans where they come from.' })),
  },
  { description: 'Somebody who takes, or took, an unusual share of the instances.' },
);
export const SuspectsBody = Type.Object(
  { suspects: Type.Array(SuspectBody) },
  { description: 'Of the last day, the newest first.' },
);
export const HarmParams = Type.Object({
  who: Type.String({ description: 'An address, a network, or the digest of a browser, as the list has it.' }),
});
const HarmBody = Type.Object(
  {
    who: Type.String({ description: 'An address, a /48 of IPv6, or a digest that names a browser.' }),
    ends: Count('Visits of theirs that were ended because they harmed others.'),
    paused_until: Nullable(Time('Until then nothing is handed out to them; null: they prove some work first.')),
    forgotten: Time('When it is forgotten, unless it happens again.'),
  },
  { description: 'Somebody whose visits harmed others.' },
);
export const HarmsBody = Type.Object({ harm: Type.Array(HarmBody) }, { description: 'The worst first.' });
export const AllowanceRuleBody = Type.Object({ ...rule, held }, { description: 'What this network may have.' });
export const AllowancesBody = Type.Object(
  { allowances: Type.Array(AllowanceRuleBody) },
  { description: 'The one that ends first first.' },
);
