import { AS_ROOT, isRoot } from './as-root.ts';
import type { ComposeService } from './compose-file.ts';

/**
 * Compose's containers have those of Docker unless it says otherwise. Of these, what servers need that start as root
 * and change to a user of their own, as most images of the registries do.
 */
export function capabilitiesOf(service: ComposeService): string[] {
  return [...new Set([...givenAnyway(service), ...named(service.cap_add)])];
}

/** What the Compose file itself does not name. */
export function givenAnyway({ user, cap_drop: drop }: ComposeService): string[] {
  const dropped = named(drop);
  if (!isRoot(String(user ?? '')) || dropped.includes('ALL')) return [];
  return AS_ROOT.add.filter((name) => !dropped.includes(name));
}

function named(list: ComposeService['cap_add']): string[] {
  return (list ?? []).map((name) => String(name).replace(/^CAP_/i, '').toUpperCase());
}
