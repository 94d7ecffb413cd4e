import type { Config } from '../config/config.ts';
import type { Template } from '../domain/template.ts';
import { withPreviews } from '../pool/reload-templates.ts';
import type { Store } from '../store/store.ts';

/** What the configuration offers, and the previews of it. Throws store_unavailable. */
export async function templatesWithPreviews(
  { templates }: Pick<Config, 'templates'>,
  { previews }: Pick<Store, 'previews'>,
): Promise<readonly Template[]> {
  const stored = await previews.list();
  return withPreviews(
    { templates, text: '', warnings: [] },
    stored.map(({ preview }) => preview),
  ).templates;
}

/** Those of the configuration alone where the store cannot tell of others: who asks says of the store what is wrong. */
export async function templatesOffered(
  config: Pick<Config, 'templates'>,
  store: { readonly need: () => Promise<Pick<Store, 'previews'>> },
): Promise<readonly Template[]> {
  try {
    return await templatesWithPreviews(config, await store.need());
  } catch {
    return config.templates;
  }
}
