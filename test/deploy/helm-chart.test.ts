import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { VARIABLE_NAMES, VARIABLES } from '../../src/config/variables.ts';

/** As scripts/setup/chart-tools.sh makes it. */
const TOOLS = '/opt/try-it-now-chart-tools';
const HELM = join(TOOLS, 'helm/helm');
const CHART = fileURLToPath(new URL('../../deploy/helm/try-it-now', import.meta.url));

/** Stands for whatever a file of PEM is to hold. */
const [CERTIFICATE = ''] = rootCertificates;
const DIGEST = `sha256:${'0'.repeat(64)}`;
const LEAST = {
  image: { repository: 'registry.example.org/try-it-now', digest: DIGEST },
  baseDomain: 'demo.example.org',
  publicUrl: 'https://try.example.org',
  valkey: { url: 'valkey://10.1.0.5:6379' },
  nats: { url: 'nats://10.1.0.6:4222' },
};
const MOST = {
  ...LEAST,
  trustedProxies: ['10.0.0.0/16'],
  valkey: { url: 'rediss://10.1.0.5:6379', user: 'try-it-now' },
  nats: { url: 'tls://10.1.0.6:4222', replicas: 3 },
  secret: {
    name: 'try-it-now',
    apiKey: 'api-key',
    operatorKeys: 'operator-keys',
    valkeyPassword: 'valkey',
    valkeyCa: 'ca.crt',
    natsCredentials: 'nats.creds',
    natsCa: 'ca.crt',
  },
  templates: 'templates:\n  - { name: hello, image: localhost/hello, port: 3000 }\n',
  settings: { POOL_MAX_TTL: '2h', RATE_LIMIT_HOURLY: 20 },
  imagePullSecrets: [{ name: 'registry' }],
  nodeSelector: { pool: 'web' },
  tolerations: [{ key: 'web', operator: 'Exists' }],
  ingress: { enabled: true, className: 'nginx', annotations: { a: 'b' }, tlsSecret: 'wildcard' },
  networkPolicy: {
    clients: [{ namespaceSelector: {} }],
    monitoring: [{ namespaceSelector: {} }],
    stateCidrs: ['10.1.0.0/24'],
    workerCidrs: ['10.2.0.0/24'],
    egress: [{ ports: [{ port: 443 }] }],
  },
  workers: { enabled: true, proxyAddresses: ['10.244.0.0/16'] },
};

interface Container {
  readonly name: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly readinessProbe?: unknown;
  readonly livenessProbe?: unknown;
}

interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly containers: readonly Container[];
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: { readonly template: { readonly spec: PodSpec }; readonly [field: string]: unknown };
}

type Values = Readonly<Record<string, unknown>>;
type Kinds = Readonly<Record<string, new (manifest: unknown) => { validate(): void }>>;

const run = promisify(execFile);

function given(values: Values): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['--set-json', `${name}=${JSON.stringify(value)}`]);
}

async function render(values: Values): Promise<readonly Manifest[]> {
  const { stdout } = await run(HELM, ['template', 'demo', CHART, '--namespace', 'apps', ...given(values)]);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

/** Throws what the schema of its kind says of it. */
function requireSound(manifest: Manifest): void {
  const kinds = createRequire(`${TOOLS}/`)(`kubernetes-models/${manifest.apiVersion}`) as Kinds;
  const Kind = kinds[manifest.kind];
  if (Kind === undefined) throw new Error(`there is no ${manifest.apiVersion} ${manifest.kind}`);
  new Kind(manifest).validate();
}

function find(manifests: readonly Manifest[], kind: string, name = 'demo'): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name} was rendered`);
  return found;
}

/** The settings that a container is given, as its program reads them. */
function settingsOf(manifests: readonly Manifest[], kind: string, name: string, container: string) {
  const { containers } = find(manifests, kind, name).spec.template.spec;
  const own = containers.find((each) => each.name === container)?.env ?? [];
  return {
    ...find(manifests, 'ConfigMap').data,
    ...Object.fromEntries(own.flatMap(({ name: variable, value }) => (value === undefined ? [] : [[variable, value]]))),
  };
}

function whyNot(): string | undefined {
  if (process.env['CI'] === 'true' || existsSync(HELM)) return undefined;
  const why = 'set-up has not installed Helm and the schemas of Kubernetes (scripts/setup.sh --with-tests)';
  process.stderr.write(`The tests of the Helm chart are skipped: ${why}\n`);
  return why;
}

describe.skipIf(whyNot() !== undefined)('the Helm chart', () => {
  let least: readonly Manifest[];
  let most: readonly Manifest[];
  beforeAll(async () => {
    [least, most] = await Promise.all([render(LEAST), render(MOST)]);
  });

  it.each([
    ['the least', LEAST],
    ['the most', MOST],
  ])('passes lint with %s that can be said', async (_, values) => {
    const { stdout } = await run(HELM, ['lint', '--strict', CHART, ...given(values)]);
    expect(stdout).toContain('0 chart(s) failed');
  });

  it('renders what the schemas of Kubernetes allow', () => {
    expect(least.map(({ kind }) => kind).sort()).toEqual([
      'ConfigMap',
      'ConfigMap',
      'Deployment',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'Service',
    ]);
    expect(most.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['DaemonSet', 'Ingress']));
    for (const manifest of [...least, ...most]) requireSound(manifest);
    expect(() => requireSound({ ...find(least, 'Service'), spec: { ports: 'none' } } as never)).toThrow(/ports/);
  });

  it.each([
    ['image.repository', { ...LEAST, image: {} }],
    ['baseDomain', { ...LEAST, baseDomain: '' }],
    ['valkey.url', { ...LEAST, valkey: {} }],
    ['nats.url', { ...LEAST, nats: {} }],
    ['workers.proxyAddresses', { ...LEAST, workers: { enabled: true } }],
    ['publicUrl', { ...LEAST, publicUrl: 'try.example.org' }],
    ['replicas', { ...LEAST, replicas: 0 }],
  ])('refuses to render without a sound %s', async (name, values) => {
    await expect(render(values)).rejects.toThrow(name);
  });

  it('gives the pods of servers no right that they do not need', () => {
    const pod = find(most, 'Deployment').spec.template.spec;
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(pod.containers.map(({ name }) => name)).toEqual(['server', 'discovery', 'proxy']);
    for (const { securityContext } of pod.containers)
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'] },
      });
    expect(find(most, 'DaemonSet', 'demo-worker').spec.template.spec.automountServiceAccountToken).toBe(false);
    const [server] = pod.containers;
    expect(server?.livenessProbe).toMatchObject({ httpGet: { path: '/health' } });
    expect(server?.readinessProbe).toMatchObject({ httpGet: { path: '/ready' } });
    expect(find(least, 'NetworkPolicy').spec['policyTypes']).toEqual(['Ingress', 'Egress']);
  });

  it('gives each program settings that it accepts', () => {
    const secrets: Readonly<Record<string, string>> = {
      '/run/secrets/try-it-now/api-key': 'a-key-that-visitors-have',
      '/run/secrets/try-it-now/operator-keys': 'an-operators-own-key',
      '/run/secrets/try-it-now/valkey': 'a-password',
    };
    const files = find(most, 'ConfigMap', 'demo-files').data ?? {};
    const read = (path: string): string =>
      secrets[path] ?? files[path.replace('/etc/try-it-now/catalogue/', '')] ?? CERTIFICATE;
    const server = loadConfig(settingsOf(most, 'Deployment', 'demo', 'server'), read, { serves: true });
    expect(server.warnings).toEqual([]);
    expect(server.config).toMatchObject({
      containers: { mode: 'none' },
      server: { host: '0.0.0.0', apiKeys: ['a-key-that-visitors-have'], shutdownDrainMs: 10_000 },
      admin: { operatorKeys: [{ key: 'an-operators-own-key' }] },
      nats: { credsFile: '/run/secrets/try-it-now/nats.creds', replicas: 3 },
      templates: [{ name: 'hello' }],
    });
    const worker = settingsOf(most, 'DaemonSet', 'demo-worker', 'worker');
    const { config } = loadConfig({ ...worker, NODE_NAME: 'node1', NODE_ADDRESS: '10.2.0.7' }, read);
    expect(config).toMatchObject({
      containers: { mode: 'podman', portRange: { start: 20_000, end: 29_999 } },
      node: { proxies: ['10.244.0.0/16'] },
      proxy: { internalUrls: ['http://demo.apps.svc:8000'] },
    });
  });

  it('holds no secret: programs are told in which file each is', () => {
    expect(most.map(({ kind }) => kind)).not.toContain('Secret');
    expect(JSON.stringify(most)).not.toMatch(/secretRef|secretKeyRef/);
    const variables: string[] = most.flatMap(({ kind, data = {}, spec }) => {
      if (kind === 'ConfigMap') return Object.keys(data);
      if (kind !== 'Deployment' && kind !== 'DaemonSet') return [];
      return spec.template.spec.containers.flatMap(({ env = [] }) => env.map(({ name }) => name));
    });
    const secret = VARIABLE_NAMES.filter((name) => VARIABLES[name].secret);
    expect(secret.filter((name) => variables.includes(name))).toEqual([]);
    const inFiles = secret.map((name) => `${name}_FILE`).filter((name) => variables.includes(name));
    expect(inFiles.sort()).toEqual(['API_KEY_FILE', 'OPERATOR_KEYS_FILE', 'VALKEY_PASSWORD_FILE']);
  });
});
