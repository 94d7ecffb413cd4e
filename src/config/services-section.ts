import type { Service, ServiceReadiness } from '../domain/service.ts';
import type { Template } from '../domain/template.ts';
import { capability } from './capabilities.ts';
import { commandWord } from './checkpoint-sections.ts';
import { duration, matching } from './parsers.ts';
import { PROCESS_KEYS, readEnv, readProcess } from './process-keys.ts';
import { imageName, port } from './variables.ts';
import type { YamlSection } from './yaml-section.ts';

const KEYS = [
  'name',
  'image',
  'env',
  ...PROCESS_KEYS.filter((key) => key !== 'sysctls'),
  'limits',
  'capabilities',
  'readiness',
] as const;

export const SERVICE_NAME_LENGTH = 32;
export const serviceName = matching(
  'name',
  new RegExp(`^[a-z]([a-z0-9_-]{0,${SERVICE_NAME_LENGTH - 2}}[a-z0-9])?$`),
  'a host name of lower-case letters, digits, dashes and underscores, such as db',
);
const TIMEOUT = duration('1s', '30m', '60s');
const DEFAULT_TIMEOUT_MS = 60_000;
/** What every container has already, and all lead to the instance itself. */
export const INSTANCE_NAMES: readonly string[] = ['localhost', 'app'];

/** The further containers of each instance, in the order they are started in. */
export function readServices(
  section: YamlSection,
  context: { readonly folder: string; readonly readLimits: (limits: YamlSection) => Template['limits'] },
): readonly Service[] {
  const services: Service[] = [];
  for (const entry of section.sections('services', KEYS) ?? []) {
    const service = readService(entry, context);
    if (INSTANCE_NAMES.includes(service.name))
      entry.report(`the name ${service.name} stands for the instance itself; choose another`, 'name');
    if (service.name !== '' && services.some(({ name }) => name === service.name))
      entry.report(`the name ${service.name} is taken by an earlier service; choose another`, 'name');
    services.push(service);
  }
  return services;
}

function readService(
  section: YamlSection,
  { folder, readLimits }: { readonly folder: string; readonly readLimits: (limits: YamlSection) => Template['limits'] },
): Service {
  const limits = section.section('limits', ['memory', 'cpus', 'pids', 'shm']);
  return {
    name: section.require('name', serviceName)?.value ?? '',
    image: section.require('image', imageName)?.value ?? '',
    env: readEnv(section.section('env', undefined), false),
    process: readProcess(section, limits, folder),
    limits: readLimits(limits),
    capabilities: [...new Set(section.list('capabilities', capability) ?? [])],
    readiness: readReadiness(section),
  };
}

function readReadiness(section: YamlSection): ServiceReadiness {
  const readiness = section.section('readiness', ['tcp', 'exec', 'timeout']);
  const timeoutMs = readiness.read('timeout', TIMEOUT)?.value ?? DEFAULT_TIMEOUT_MS;
  if (readiness.has('tcp') && readiness.has('exec'))
    readiness.report(`${readiness.path} has both tcp and exec; it must have one of them: tcp: 5432 or exec: [command]`);
  if (readiness.has('exec')) {
    const command = readiness.list('exec', commandWord, 1);
    return { kind: 'exec', command: command ?? [], timeoutMs };
  }
  const listens = readiness.read('tcp', port)?.value;
  return listens === undefined ? { kind: 'running', timeoutMs } : { kind: 'tcp', port: listens, timeoutMs };
}
