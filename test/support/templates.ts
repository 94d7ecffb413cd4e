import { DEFAULT_PROCESS } from '../../src/domain/process-settings.ts';
import { DEFAULT_READINESS, type Readiness } from '../../src/domain/readiness.ts';
import type { Service } from '../../src/domain/service.ts';
import { ownFilter } from '../../src/runtime/isolation/seccomp.ts';
import { DEFAULT_DUMP, type Template } from '../../src/domain/template.ts';

/** Ready when this path answers below 400. */
export function readiness(path: string, timeoutMs: number): Readiness & { readonly kind: 'http' } {
  return { ...DEFAULT_READINESS, path, timeoutMs };
}

const DEFAULT_FILTER = ownFilter('default');

/** A small template; every test overrides what it is about. */
export function template(overrides: Partial<Template> = {}): Template {
  return {
    name: 'tiny',
    title: 'Tiny',
    description: 'A tiny app for tests.',
    image: 'localhost/try-it-now/tiny:latest',
    port: 8080,
    pull: 'missing',
    imageCheck: undefined,
    smoke: [],
    env: {},
    process: DEFAULT_PROCESS,
    open: '/',
    openAllow: [],
    frame: 'off',
    callToAction: undefined,
    lead: undefined,
    readiness: readiness('/', 20_000),
    health: undefined,
    replaceSlow: true,
    warmup: ['/'],
    limits: { memoryBytes: 64 * 1024 * 1024, cpus: 1, pids: 32 },
    disk: { bytes: 2 ** 30, files: 100_000 },
    unusedCpu: 'end',
    databaseBytes: 2 ** 30,
    capabilities: [],
    seccomp: DEFAULT_FILTER,
    runtime: undefined,
    memory: 'private',
    egress: undefined,
    activation: undefined,
    identity: undefined,
    export: undefined,
    checkpoint: { enabled: true, file: undefined, warmup: [], check: undefined, random: undefined, dump: DEFAULT_DUMP },
    database: undefined,
    services: [],
    pool: { target: 3, max: 20, replenishThreshold: 0 },
    ttl: { defaultMs: 60_000, maxMs: 300_000 },
    allowedOrigins: [],
    nodes: [],
    idle: undefined,
    renewOnUse: false,
    maxAgeMs: 3_600_000,
    ...overrides,
  };
}

/** A further container of an instance, made of this image. */
export function service(image: string): Service {
  return {
    ...{ name: 'cache', image, env: {}, process: DEFAULT_PROCESS, capabilities: [] },
    readiness: { kind: 'running', timeoutMs: 1_000 },
    limits: { memoryBytes: 2 ** 25, cpus: 1, pids: 10 },
  };
}
