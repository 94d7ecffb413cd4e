import { createHash } from 'node:crypto';
import { html, Html } from './html.ts';

/** What a browser may keep: with it, a request stays far below what is read of one. */
const KEPT_CHARACTERS = 2_048;
/** A cookie's path is one of the address's own folders, or a browser would not have sent it. */
const MOST_FOLDERS = 12;

/**
 * Deletes the longest cookies that scripts have set, until few enough are left. It is a script, and not the header
 * Clear-Site-Data: any page of another site can provoke this answer by a long address, and the header would then cost
 * the visitor every login at the whole domain, which no script can see. Inline, since its file would be asked for with
 * the same cookies.
 */
export const PILED_COOKIES_SCRIPT = `(() => {
const { hostname, pathname, protocol } = location;
const labels = hostname.split('.');
const domains = ['', ...labels.map((_, at) => '; Domain=' + labels.slice(at).join('.'))];
const folders = pathname.split('/').slice(1, ${MOST_FOLDERS});
const below = folders.map((_, at) => '/' + folders.slice(0, at + 1).join('/'));
const paths = ['/', ...below, ...below.map((path) => path + '/')];
const kinds = protocol === 'https:' ? ['; Secure', '; Secure; Partitioned'] : [''];
const forget = (name) => {
for (const domain of domains) for (const path of paths) for (const kind of kinds)
document.cookie = name + '=x; Max-Age=0; Path=' + path + domain + kind;
};
for (const pair of document.cookie.split('; ').sort((a, b) => b.length - a.length)) {
if (document.cookie.length <= ${KEPT_CHARACTERS}) break;
forget(pair.split('=')[0]);
if (document.cookie.includes(pair)) forget('');
}
})();`;

/** For the content security policy of a page that has the script. */
export const PILED_COOKIES_SOURCE = `'sha256-${createHash('sha256').update(PILED_COOKIES_SCRIPT).digest('base64')}'`;

export const PILED_COOKIES: Html = html`<script>${new Html(PILED_COOKIES_SCRIPT)}</script>`;

/** Where nobody has pages of their own. */
export function piledCookiesPage(): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  return {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; script-src ${PILED_COOKIES_SOURCE}; frame-ancestors 'none'`,
    },
    body: html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Your browser sends too much at once</title>
<h1>Your browser sends too much at once</h1>
<p>If cookies had piled up for this address, the largest of them are deleted now: try again. If that does not help,
delete the cookies of this site yourself.</p>
${PILED_COOKIES}
`.text,
  };
}
