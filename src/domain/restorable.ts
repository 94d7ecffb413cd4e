import { startPlaceholders } from './placeholders.ts';
import type { Template } from './template.ts';

/** Undefined where instances of the template may be restored from a checkpoint. */
export function whyNotRestorable(template: Template): string | undefined {
  if (template.runtime === 'runsc') return 'its runtime is runsc, and only what runc runs is dumped and restored';
  if (template.services.length > 0)
    return (
      `it has services (${template.services.map(({ name }) => name).join(', ')}), and containers that share a ` +
      'network are not dumped'
    );
  const placeholders = startPlaceholders(template);
  if (placeholders.length === 0) return undefined;
  return (
    `what it starts with differs from instance to instance (${placeholders.map((name) => `\${${name}}`).join(', ')} ` +
    'in its env, command or files), and every clone of a checkpoint would have what the first one had; to have them ' +
    'restored, hand these values over in its activation'
  );
}

export function isRestorable(template: Template): boolean {
  return template.checkpoint.enabled && whyNotRestorable(template) === undefined;
}
