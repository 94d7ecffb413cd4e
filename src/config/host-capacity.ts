/** Whether this host can hold what the pools may become. */
import { mostInstances } from '../domain/preview-rules.ts';
import type { Template } from '../domain/template.ts';
import { STAND_IN } from '../runtime/engines.ts';
import { NO_ENGINE } from '../runtime/no-engine.ts';
import type { FileReader } from './environment.ts';
import type { Values } from './variables.ts';

const MEMORY_FILE = '/proc/meminfo';
const GIB = 2 ** 30;
/** A Linux bridge takes 1,023 interfaces; what is left of the networks' /22 for instances is less. */
const BRIDGE_HOLDS = 1_021;

/** Only what is said of one host: further ones may hold a share, which nothing here tells. */
export function capacityWarnings(
  { CONTAINER_MODE: mode }: Values,
  templates: readonly Template[],
  readFile: FileReader,
): string[] {
  return mode === STAND_IN.name || mode === NO_ENGINE.name
    ? []
    : [...memoryShortage(templates, readFile), ...fullBridges(templates)];
}

function memoryShortage(templates: readonly Template[], readFile: FileReader): string[] {
  const bytes = hostMemory(readFile);
  const most = templates.reduce((sum, template) => sum + mostInstances(template) * template.limits.memoryBytes, 0);
  if (bytes === undefined || most <= bytes) return [];
  const instances = templates.reduce((sum, template) => sum + mostInstances(template), 0);
  return [
    `the pools may hold ${instances} instances that may use ${inGib(most)} GiB together, but this host has ` +
      `${inGib(bytes)} GiB: when they do, the kernel ends some of them; lower POOL_MAX_SIZE, the templates' pool.max ` +
      'or limits.memory, or add memory or a further host',
  ];
}

function fullBridges(templates: readonly Template[]): string[] {
  const ways = [
    ['without egress', undefined],
    ['with egress', false],
    ['with egress and mail', true],
  ] as const;
  // Those that say where to have a network each.
  const sharing = templates.filter(({ egress }) => egress?.allow === undefined);
  return ways.flatMap(([way, mail]) => {
    const most = sharing
      .filter(({ egress }) => egress?.mail === mail)
      .reduce((sum, template) => sum + mostInstances(template), 0);
    if (most <= BRIDGE_HOLDS) return [];
    return [
      `the pools of templates ${way} may hold ${most} instances, but the network they ` +
        `share on a host takes ${BRIDGE_HOLDS}: starts beyond that fail; lower POOL_MAX_SIZE or the templates' ` +
        'pool.max, or add a further host',
    ];
  });
}

/** Undefined where it is not to be found out: not Linux, or /proc is hidden. */
function hostMemory(readFile: FileReader): number | undefined {
  try {
    const kib = /^MemTotal:\s+(\d+) kB$/m.exec(readFile(MEMORY_FILE))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1_024;
  } catch {
    return undefined;
  }
}

function inGib(bytes: number): string {
  return (bytes / GIB).toFixed(1);
}
