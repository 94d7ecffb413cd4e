/**
 * The pages under docs/reference that are made from the code, so that they cannot say anything else than the code does,
 * and the types that the client is made of.
 */
import { readFileSync } from 'node:fs';
import { brandingSchema, catalogueSchema } from '../src/config/file-schemas.ts';
import type { Variable } from '../src/config/variable.ts';
import { VARIABLES, VARIABLE_NAMES } from '../src/config/variables.ts';
import { ERROR_CATALOGUE } from '../src/domain/errors.ts';
import { DNS_OUTCOMES } from '../src/proxy/discovery/interfaces/hostname-source.ts';
import { OWN_FILTERS } from '../src/runtime/isolation/seccomp.ts';
import { DiscoveryMetrics } from '../src/telemetry/discovery-metrics.ts';
import { Metrics } from '../src/telemetry/metrics.ts';
import { clientTypes } from './client-types.ts';
import { subtracted, type Profile } from './seccomp/subtract.ts';

const NOTICE = '<!-- Made by `npm run generate`; change the code instead. -->';

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  return [heads, heads.map(() => '---'), ...rows.map((row) => row.map(cell))]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

/** Each block is loaded by a test. */
const EXAMPLES = `## Examples

On the internet, behind a TLS end that passes \`try.example.org\` to the server and \`*.demo.example.org\` to the proxy:

\`\`\`ini
BASE_DOMAIN=demo.example.org
PUBLIC_SCHEME=https
PUBLIC_PORT=443
PUBLIC_URL=https://try.example.org
TRUSTED_PROXIES=127.0.0.1,::1
API_KEY_FILE=/run/secrets/api-key
TEMPLATES_FILE=/etc/try-it-now/templates.yaml
\`\`\`

With Valkey and NATS on other hosts, and a deeper pool for short visits:

\`\`\`ini
VALKEY_URL=valkeys://valkey.example.org:6380
VALKEY_USER=try-it-now
VALKEY_PASSWORD_FILE=/run/secrets/valkey-password
NATS_URL=tls://nats.example.org:4222
NATS_TOKEN_FILE=/run/secrets/nats-token
POOL_TARGET_SIZE=20
POOL_MAX_SIZE=100
POOL_DEFAULT_TTL=10m
POOL_MAX_TTL=30m
QUEUE_WORKER_COUNT=8
\`\`\`

With instances that must come from checkpoints, and a database for each:

\`\`\`ini
CONTAINER_MODE=podman
CRIU_ENABLED=true
DATABASE_SOCKET=/run/mysqld/mysqld.sock
DATABASE_USER=try_it_now
DATABASE_PASSWORD_FILE=/run/secrets/database-password
TEMPLATES_FILE=/etc/try-it-now/templates.yaml
\`\`\`

A second deployment on the same host:

\`\`\`ini
DEPLOYMENT=try-it-now-staging
SERVER_PORT=8082
ADMIN_ADDR=127.0.0.1:8083
PROXY_LISTEN=:8001
CADDY_ADMIN_URL=http://127.0.0.1:2020
DISCOVERY_ADDR=127.0.0.1:15355
DISCOVERY_METRICS_ADDR=127.0.0.1:15356
CHECKPOINT_DIR=/var/lib/try-it-now-staging/checkpoints
VALKEY_ADDR=127.0.0.1:6380
NATS_URL=nats://127.0.0.1:4223
CONTAINER_PORT_RANGE_START=10000
CONTAINER_PORT_RANGE_END=14999
\`\`\``;

export function configPage(): string {
  const groups = [...new Set(VARIABLE_NAMES.map((name) => VARIABLES[name].group))];
  const sections = groups.map((group) => {
    const rows = VARIABLE_NAMES.filter((name) => VARIABLES[name].group === group).map((name) => {
      const variable: Variable<unknown> = VARIABLES[name];
      const fallback =
        variable.default === undefined
          ? (variable.otherwise ?? '')
          : variable.default === ''
            ? 'empty'
            : `\`${variable.default}\``;
      const secret = variable.secret ? ` Secret: may come from the file named by \`${name}_FILE\` instead.` : '';
      const { expects } = variable.parser;
      return [
        `\`${name}\``,
        fallback,
        `${variable.about}${secret}`,
        `${expects.charAt(0).toUpperCase()}${expects.slice(1)}.`,
      ];
    });
    return `## ${group}\n\n${table(['Variable', 'Default', 'What it sets', 'What it may be'], rows)}`;
  });
  return (
    [
      NOTICE,
      '# Configuration',
      'Everything is set by environment variables, read once at the start. An empty variable counts as unset.',
      'When something is wrong, nothing is started: one message names every wrong variable with what to ' +
        'change, and the process ends with exit code 78. Variables that look like a misspelt one of these are ' +
        'named in a warning.',
      'Durations have one unit: `500ms`, `10s`, `30m`, `2h`, `1d`. Secrets can be kept out of the environment: ' +
        '`API_KEY_FILE=/run/secrets/api-key` reads the value from a file, without the ' +
        'line end; only one of the two may be set.',
      ...sections,
      EXAMPLES,
    ].join('\n\n') + '\n'
  );
}

export function errorsPage(): string {
  const rows = Object.entries(ERROR_CATALOGUE).map(([code, { status, retryable, title, remedy }]) => [
    `\`${code}\``,
    String(status),
    retryable ? 'yes' : 'no',
    title,
    remedy,
  ]);
  return (
    [
      NOTICE,
      '# Errors',
      'Every error has a code that stays the same between versions; programs should look at it and not at the ' +
        'words. The HTTP API sends it as `code` in a problem body (RFC 9457, `application/problem+json`) with ' +
        'the status named here. Log lines and the command line name it too.',
      '“Again” tells whether the same request may succeed later without being changed; where the answer has a ' +
        '`Retry-After` header, wait that long.',
      table(['Code', 'Status', 'Again', 'What happened', 'What to do'], rows),
    ].join('\n\n') + '\n'
  );
}

const OUR_PREFIX = 'try_it_now_';

interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets: readonly number[];
}

function listIn(metric: object, key: string): unknown[] {
  const value: unknown = Reflect.get(metric, key);
  return Array.isArray(value) ? value : [];
}

/**
 * A label's values where they are a fixed set: ours, started at zero by the code. Those of Node.js
 * differ from version to version.
 */
async function families(registry: Metrics['registry']): Promise<Family[]> {
  const described = await registry.getMetricsAsJSON();
  return described.map(({ name, type, help, values }) => {
    const metric = registry.getSingleMetric(name) ?? {};
    const labels = listIn(metric, 'labelNames')
      .map(String)
      .map((label) => {
        const known = new Set(
          values
            .map((series) => Object.entries(series.labels).find(([key]) => key === label)?.[1])
            .filter((value) => value !== undefined),
        );
        const fixed = name.startsWith(OUR_PREFIX) && !['template', 'version'].includes(label) && known.size > 0;
        return fixed ? `\`${label}\` (${[...known].join(', ')})` : `\`${label}\``;
      });
    return { name, type: String(type), help, labels, buckets: listIn(metric, 'upperBounds').map(Number) };
  });
}

function familyRows(list: readonly Family[]): string[][] {
  return list.map(({ name, type, help, labels, buckets }) => [
    `\`${name}\``,
    type,
    labels.join(', '),
    buckets.length === 0 ? help : `${help} Buckets: ${buckets.join(', ')}.`,
  ]);
}

export async function metricsPage(): Promise<string> {
  const pool = await families(new Metrics({ templates: ['example'], version: '0' }).registry);
  const discovery = await families(
    new DiscoveryMetrics({
      version: '0',
      outcomes: DNS_OUTCOMES,
      stats: () => ({ hostnames: 0, inStep: true, resyncs: 0 }),
    }).registry,
  );
  const ours = ({ name }: Family): boolean => name.startsWith(OUR_PREFIX);
  const ofDiscoveryAlone = (family: Family): boolean => ours(family) && family.name !== 'try_it_now_build_info';
  const heads = ['Metric', 'Type', 'Labels', 'Meaning'];
  return (
    [
      NOTICE,
      '# Metrics',
      '`GET /metrics` answers in the Prometheus text format. All times are in seconds. The label `template` ' +
        'has the names in the catalogue as its values; `(former)` stands for all that are no longer in it.',
      'The gauges `try_it_now_pool_*` are read from Valkey and `try_it_now_queue_*` from NATS at each scrape. ' +
        'While such a source does not answer, its gauges are absent rather than old, the scrape succeeds all the ' +
        'same, and `try_it_now_dependency_up` is 0. They describe the whole system: with several servers, take ' +
        'one value (`max by (template)`), not the sum. All else is counted per process.',
      `## Server and workers\n\n${table(heads, familyRows(pool.filter(ours)))}`,
      `## Discovery\n\n${table(heads, familyRows(discovery.filter(ofDiscoveryAlone)))}`,
      `## Every process\n\n${table(heads, familyRows(pool.filter((family) => !ours(family))))}`,
    ].join('\n\n') + '\n'
  );
}

/** For editors. What each key means comes from the page that people read. */
export function templatesSchema(page = readFileSync('docs/templates.md', 'utf8')): string {
  return schemaPage(catalogueSchema, page);
}

function schemaPage(schema: typeof catalogueSchema, page: string): string {
  const rows = [...page.matchAll(/^\| `([a-z_.]+)` \| .*? \| (.*) \|$/gm)];
  const meanings = new Map(
    rows.map(([, key = '', meaning = '']) => [key, meaning.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')]),
  );
  return `${JSON.stringify(
    schema((path) => meanings.get(path)),
    null,
    2,
  )}\n`;
}

const SECCOMP_SOURCE = 'scripts/seccomp/containers-common.json';
/** What that file is; change both together. */
const SECCOMP_ORIGIN =
  "Podman's own, /usr/share/containers/seccomp.json of Debian 12's golang-github-containers-common 0.50.1+ds1-4";

export function seccompProfile(kind: 'default' | 'strict'): string {
  const source = JSON.parse(readFileSync(SECCOMP_SOURCE, 'utf8')) as Profile;
  const comment =
    `Made by \`npm run generate\` from ${SECCOMP_SOURCE} (${SECCOMP_ORIGIN}; Apache-2.0): change ` +
    'scripts/seccomp/subtract.ts instead.';
  return `${JSON.stringify(subtracted(source, kind, comment), null, 2)}\n`;
}

/** Path from the top of the checkout → what the file must hold. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['docs/reference/config.md', configPage()],
    ['docs/reference/errors.md', errorsPage()],
    ['docs/reference/metrics.md', await metricsPage()],
    ['docs/reference/templates.schema.json', templatesSchema()],
    ['docs/reference/branding.schema.json', schemaPage(brandingSchema, readFileSync('docs/branding.md', 'utf8'))],
    ['packages/client/src/api.ts', await clientTypes()],
    ...OWN_FILTERS.map((kind) => [`src/runtime/isolation/seccomp/${kind}.json`, seccompProfile(kind)] as const),
  ]);
}
