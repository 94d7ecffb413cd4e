/** Whether visitors' browsers can do something with the addresses they are given. */
import type { Values, VariableName } from './variables.ts';

const LOCAL = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

export function publicAddressProblems(values: Values, sound: (...names: VariableName[]) => boolean): string[] {
  const { BASE_DOMAIN: baseDomain, PUBLIC_URL: publicUrl } = values;
  if (publicUrl === undefined || !sound('PUBLIC_URL')) return [];
  const { hostname, origin, pathname } = new URL(publicUrl);
  const problems: string[] = [];
  if (pathname !== '/')
    problems.push(
      `PUBLIC_URL is ${publicUrl}, but the start page cannot live below the path ${pathname}: its links and forms ` +
        `begin at the root of their host; give it a host name of its own and set PUBLIC_URL=${origin}`,
    );
  if (sound('BASE_DOMAIN') && LOCAL.test(baseDomain) && !LOCAL.test(hostname))
    problems.push(
      `PUBLIC_URL is ${publicUrl} but BASE_DOMAIN is ${baseDomain}, which every browser takes for its own machine: ` +
        'visitors would be sent to instances that are not there; set BASE_DOMAIN to a domain whose * leads to the ' +
        'proxy, such as demo.example.org',
    );
  return problems;
}

export function publicAddressWarnings(values: Values): string[] {
  return [...nobodyInFront(values), ...embeddedInsecurely(values)];
}

/** Browsers load nothing insecure into a secure page but what is on their own machine. */
function embeddedInsecurely({ ALLOWED_ORIGINS: origins, PUBLIC_URL: publicUrl = '' }: Values): string[] {
  const secure = origins.find((origin) => origin.startsWith('https:'));
  if (secure === undefined || !publicUrl.startsWith('http:') || LOCAL.test(new URL(publicUrl).hostname)) return [];
  return [
    `ALLOWED_ORIGINS names ${secure} but PUBLIC_URL is ${publicUrl}: browsers load nothing from http into a page on ` +
      'https, so nothing can be embedded there; put TLS in front of the start page and the proxy, and set PUBLIC_URL ' +
      'to its https address',
  ];
}

function nobodyInFront(values: Values): string[] {
  const { PUBLIC_URL: publicUrl, PUBLIC_SCHEME: scheme } = values;
  const secure = scheme === 'https' ? 'PUBLIC_SCHEME is https' : `PUBLIC_URL is ${publicUrl ?? ''}`;
  if ((scheme === 'https' || publicUrl?.startsWith('https:') === true) && values.TRUSTED_PROXIES.length === 0)
    return [
      `${secure}, so something in front ends TLS, but TRUSTED_PROXIES is empty: all visitors count as one for ` +
        "rate limits, and apps see the front's address in place of theirs; set it to the front's address, such as " +
        'TRUSTED_PROXIES=127.0.0.1,::1',
    ];
  return [];
}

/** For a start page that other machines reach; empty where they may reach its instances as well. */
export function unreachableInstances({ BASE_DOMAIN: baseDomain, PUBLIC_URL: publicUrl }: Values): string[] {
  if (publicUrl !== undefined || !LOCAL.test(baseDomain)) return [];
  return [
    `BASE_DOMAIN is ${baseDomain}, which every browser takes for its own machine: from elsewhere the start page ` +
      'opens and its instances do not; set it to a domain whose * leads to the proxy, and PUBLIC_URL',
  ];
}
