import type { Instance } from '../domain/instance.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';

/**
 * Whether the engine says that an instance's container runs no more. Where it runs on another node nobody here can
 * know: false. Throws engine_unavailable.
 */
export async function hasEnded(
  { runtime, node }: { readonly runtime: Pick<ContainerRuntime, 'list'>; readonly node: { readonly name: string } },
  instance: Instance,
): Promise<boolean> {
  if (instance.node !== node.name) return false;
  return !(await runtime.list()).some(({ name, running }) => running && name === instance.container);
}
