import { html, Html } from './html.ts';

/** At the address of each instance, where the proxy answers and no app. */
export const STORAGE_CHECK_PATH = '/.well-known/try-it-now/storage';

/** Tells the page around it whether what is at its address may store anything in a frame there. */
export const STORAGE_CHECK_SCRIPT = `let stores = true;
try {
  stores = localStorage !== null;
} catch {
  stores = false;
}
parent.postMessage({ stores }, '*');`;

export const STORAGE_CHECK_PAGE = html`<!doctype html><title>Storage</title>\
<script>${new Html(STORAGE_CHECK_SCRIPT)}</script>
`.text;
