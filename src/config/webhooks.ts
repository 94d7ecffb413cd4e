import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { describeError } from '../domain/errors.ts';
import { EVENT_TYPES, VISIT_EVENT_TYPES, type StreamEventType } from '../domain/visit-event.ts';
import type { Webhook } from '../domain/webhook.ts';
import { quote, type Environment, type FileReader } from './environment.ts';
import { ParseError, bool, duration, matching, oneOf, path, type Parser } from './parsers.ts';
import { YamlMapSection, listProblems, type YamlSection, type YamlSource } from './yaml-section.ts';

const KEYS = ['name', 'url', 'secret', 'events', 'timeout', 'retry_for', 'allow_http'];
const webhookName = matching(
  'name',
  /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/,
  '1 to 32 of a-z, 0-9 and -, not starting or ending with -, such as crm',
);
const variableName = matching('name', /^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of an environment variable');
const timeout = duration('100ms', '60s', '10s');
const retryFor = duration('1s', '7d', '3d');
const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_RETRY_FOR_MS = 3 * 24 * 60 * 60 * 1000;
/** Of a key, decoded: what the Standard Webhooks specification asks for. */
const SECRET_BYTES = { least: 24, most: 64 };
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const receiverUrl: Parser<URL> = {
  type: 'URL',
  expects: 'a URL that starts with https://, such as https://crm.example.org/hooks/try-it-now',
  parse: (text) => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined;
    if (parsed === undefined || !['http:', 'https:'].includes(parsed.protocol)) return new ParseError();
    if (parsed.username !== '' || parsed.password !== '')
      return new ParseError('it must not carry a user name or password; the signature says who sends');
    return parsed.hash === '' ? parsed : new ParseError('it must not carry a # part');
  },
};

export interface ParsedWebhooks {
  readonly webhooks: readonly Webhook[];
  readonly problems: readonly string[];
}

interface Sources {
  /** The folder that relative paths start from. */
  readonly folder: string;
  readonly env: Environment;
  readonly readFile: FileReader;
}

/** Reads WEBHOOKS_FILE; every problem begins with `file:line`. No message shows a secret. */
export function parseWebhooks(text: string, file: string, env: Environment, readFile: FileReader): ParsedWebhooks {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const source: YamlSource = { document, lines, file, problems: [] };
  for (const flaw of [...document.errors, ...document.warnings]) {
    const { line } = lines.linePos(flaw.pos[0]);
    source.problems.push({ line, text: `this is not YAML as it should be: ${flaw.message}` });
  }
  if (document.errors.length > 0) return { webhooks: [], problems: listProblems(source) };
  const root = new YamlMapSection(source, document.contents, '', ['webhooks']);
  const sections = root.sections('webhooks', KEYS);
  if (!root.has('webhooks') || sections?.length === 0)
    root.report('the file must have a list named webhooks with at least one webhook in it', 'webhooks');
  const webhooks: Webhook[] = [];
  for (const section of sections ?? []) {
    const webhook = readWebhook(section, { folder: dirname(file), env, readFile });
    if (webhook.name !== '' && webhooks.some(({ name }) => name === webhook.name))
      section.report(`the name ${webhook.name} is taken by an earlier webhook; choose another`, 'name');
    webhooks.push(webhook);
  }
  return { webhooks, problems: listProblems(source) };
}

function readWebhook(section: YamlSection, sources: Sources): Webhook {
  const url = section.require('url', receiverUrl)?.value;
  const plain = section.read('allow_http', bool)?.value ?? false;
  if (url?.protocol === 'http:' && !plain && !LOOPBACK.test(url.hostname))
    section.report(
      `${section.path}.url is an http:// address of another host: anybody on the way could read what is sent; use ` +
        'https://, or say allow_http: true where the way is yours',
      'url',
    );
  const types = section.list('events', oneOf<StreamEventType>(EVENT_TYPES), 1);
  return {
    name: section.require('name', webhookName)?.value ?? '',
    url: url?.href ?? '',
    secrets: readSecrets(section, sources),
    events: types ?? VISIT_EVENT_TYPES,
    timeoutMs: section.read('timeout', timeout)?.value ?? DEFAULT_TIMEOUT_MS,
    retryForMs: section.read('retry_for', retryFor)?.value ?? DEFAULT_RETRY_FOR_MS,
  };
}

/** From a variable or a file, never from the file of webhooks itself. */
function readSecrets(section: YamlSection, { folder, env, readFile }: Sources): readonly string[] {
  const wrong = (problem: string): readonly string[] => {
    section.report(`${section.path}.secret ${problem}`, 'secret');
    return [];
  };
  if (!section.has('secret'))
    return wrong('is missing; say where the key is: `secret: {file: crm.secret}` or `secret: {env: CRM_SECRET}`');
  if (section.isSingle('secret'))
    return wrong('must not stand in this file; put it into a file or a variable: `secret: {file: crm.secret}`');
  const group = section.section('secret', ['file', 'env']);
  if (!group.isGroup) return [];
  const file = group.read('file', path)?.value;
  const variable = group.read('env', variableName)?.value;
  if ((file === undefined) === (variable === undefined)) return wrong('must name either a file or a variable (env)');
  let text: string | undefined;
  try {
    text = file === undefined ? env[variable ?? ''] : readFile(resolve(folder, file));
  } catch (error) {
    return wrong(
      `names the file ${quote(file ?? '')}, which cannot be read (${describeError(error)}); fix the path or the ` +
        "file's permissions",
    );
  }
  const secrets = (text ?? '').split(/[\s,]+/).filter((word) => word !== '');
  const where = file === undefined ? `the variable ${variable ?? ''}` : `the file ${quote(file)}`;
  if (secrets.length === 0) return wrong(`names ${where}, which is empty or not set`);
  return secrets.every(isSecret)
    ? secrets
    : wrong(
        `names ${where}, which has a key (not shown) that is wrong; it must be whsec_ and the base64 of ` +
          `${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes: echo "whsec_$(openssl rand -base64 32)" makes one`,
      );
}

function isSecret(text: string): boolean {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
  if (base64 === undefined) return false;
  const { length } = Buffer.from(base64, 'base64');
  return length >= SECRET_BYTES.least && length <= SECRET_BYTES.most;
}
