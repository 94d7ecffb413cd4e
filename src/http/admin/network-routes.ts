import type { NetworkRule } from '../../domain/network-rule.ts';
import { banCommand } from '../../domain/ban-command.ts';
import type { Suspect } from '../../domain/suspect.ts';
import type { App } from '../context.ts';
import {
  AllowanceBody,
  AllowanceRuleBody,
  AllowancesBody,
  BanBody,
  BannedBody,
  BansBody,
  HarmParams,
  HarmsBody,
  NetworkParams,
  SuspectsBody,
} from './network-schemas.ts';
import type { NetworkOperators } from './operators.ts';
import { operatorProblems } from './problems.ts';
import { NoQuery } from './schemas.ts';
import { isoTime } from './times.ts';

const tags = ['networks'];
const GONE = { 204: { type: 'null', description: 'It does not hold any more.' } };

/** Which networks of clients get nothing, and which may have more than others. */
export function networkRoutes(app: App, operators: NetworkOperators): void {
  suspectRoute(app, operators);
  harmRoutes(app, operators);
  banRoutes(app, operators);
  allowanceRoutes(app, operators);
}

function suspectRoute(app: App, operators: NetworkOperators): void {
  app.get(
    '/admin/v1/suspects',
    {
      schema: {
        tags,
        operationId: 'listSuspects',
        summary: 'Who takes an unusual share of the instances',
        querystring: NoQuery,
        response: { 200: SuspectsBody, ...operatorProblems() },
      },
    },
    async () => ({ suspects: (await operators.suspects()).map(suspectBody) }),
  );
}

function harmRoutes(app: App, operators: NetworkOperators): void {
  app.get(
    '/admin/v1/harm',
    {
      schema: {
        tags,
        operationId: 'listHarm',
        summary: 'Whose visits were ended because they harmed others',
        querystring: NoQuery,
        response: { 200: HarmsBody, ...operatorProblems() },
      },
    },
    async () => ({
      harm: (await operators.harm()).map(({ who, ends, pausedUntilMs, forgottenAtMs }) => ({
        who,
        ends,
        paused_until: pausedUntilMs === undefined ? null : isoTime(pausedUntilMs),
        forgotten: isoTime(forgottenAtMs),
      })),
    }),
  );
  app.delete(
    '/admin/v1/harm/:who',
    {
      config: { audit: 'harm.forgive' },
      schema: {
        tags,
        operationId: 'forgiveHarm',
        summary: 'Forget what somebody did',
        description: 'They get instances as anybody does, at once and on every server.',
        params: HarmParams,
        response: { ...GONE, ...operatorProblems('unknown_network') },
      },
    },
    async (request, reply) => {
      await operators.forgive(request.params.who);
      reply.code(204);
      return null;
    },
  );
}

function banRoutes(app: App, operators: NetworkOperators): void {
  app.get(
    '/admin/v1/bans',
    {
      schema: {
        tags,
        operationId: 'listBans',
        summary: 'Networks that nothing is handed out to',
        querystring: NoQuery,
        response: { 200: BansBody, ...operatorProblems() },
      },
    },
    async () => ({ bans: (await operators.networkRules('ban')).map(ruleBody) }),
  );
  app.put(
    '/admin/v1/bans/:network',
    {
      config: { audit: 'bans.add' },
      schema: {
        tags,
        operationId: 'banNetwork',
        summary: 'Hand nothing out to a network for some time',
        description: 'In place of an earlier ban of the same network. Further servers know within two seconds.',
        params: NetworkParams,
        body: BanBody,
        response: { 200: BannedBody, ...operatorProblems('network_rule_limit') },
      },
    },
    async (request) => {
      const { for_seconds: seconds, reason, end = false } = request.body;
      const wanted = { network: request.params.network, forMs: seconds * 1_000, reason };
      const { rule, ended } = await operators.ban(wanted, end);
      return { ...ruleBody(rule), ended };
    },
  );
  app.delete(
    '/admin/v1/bans/:network',
    {
      config: { audit: 'bans.remove' },
      schema: {
        tags,
        operationId: 'unbanNetwork',
        summary: 'End a ban',
        params: NetworkParams,
        response: { ...GONE, ...operatorProblems('unknown_network') },
      },
    },
    async (request, reply) => {
      await operators.removeNetworkRule('ban', request.params.network);
      reply.code(204);
      return null;
    },
  );
}

function allowanceRoutes(app: App, operators: NetworkOperators): void {
  app.get(
    '/admin/v1/allowances',
    {
      schema: {
        tags,
        operationId: 'listAllowances',
        summary: 'Networks that may have more than others',
        querystring: NoQuery,
        response: { 200: AllowancesBody, ...operatorProblems() },
      },
    },
    async () => ({ allowances: (await operators.networkRules('allowance')).map(allowanceBody) }),
  );
  app.put(
    '/admin/v1/allowances/:network',
    {
      config: { audit: 'allowances.add' },
      schema: {
        tags,
        operationId: 'allowNetwork',
        summary: 'Let a network have more for some time, such as a class behind one address',
        description: 'It holds so many at once, and how often it takes one is not limited.',
        params: NetworkParams,
        body: AllowanceBody,
        response: { 200: AllowanceRuleBody, ...operatorProblems('network_rule_limit') },
      },
    },
    async (request) => {
      const { for_seconds: seconds, reason, held } = request.body;
      const wanted = { network: request.params.network, forMs: seconds * 1_000, reason };
      return allowanceBody(await operators.allow(wanted, held));
    },
  );
  app.delete(
    '/admin/v1/allowances/:network',
    {
      config: { audit: 'allowances.remove' },
      schema: {
        tags,
        operationId: 'disallowNetwork',
        summary: 'End an allowance',
        description: 'What its clients hold, they keep.',
        params: NetworkParams,
        response: { ...GONE, ...operatorProblems('unknown_network') },
      },
    },
    async (request, reply) => {
      await operators.removeNetworkRule('allowance', request.params.network);
      reply.code(204);
      return null;
    },
  );
}

function ruleBody({ network, sinceMs, untilMs, reason }: NetworkRule) {
  return { network, since: isoTime(sinceMs), until: isoTime(untilMs), reason: reason ?? null };
}

function allowanceBody(rule: NetworkRule) {
  return { ...ruleBody(rule), held: rule.held ?? 1 };
}

function suspectBody({
  kind,
  who,
  why,
  network,
  taken,
  takenByAll,
  ended,
  unopened,
  refused,
  harmful = 0,
  ...times
}: Suspect) {
  return {
    kind,
    who,
    why,
    taken,
    taken_by_all: takenByAll,
    ended,
    unopened,
    refused,
    harmful,
    since: isoTime(times.sinceMs),
    last: isoTime(times.lastMs),
    ban: banCommand(network) ?? null,
  };
}
