import type { Config } from '../config/config.ts';
import { ok, warning, type Check } from './check.ts';

type Limits = Pick<Config, 'heldLimit' | 'rateLimit' | 'templates'> & {
  readonly server: Pick<Config['server'], 'host' | 'trustedProxies'>;
};

const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** How much of a pool one address may have. */
export function shareCheck({ heldLimit, rateLimit, templates, server }: Limits): Check {
  const what = 'what one address may hold';
  return {
    part: 'Pools',
    what,
    run: () => {
      if (LOOPBACK.test(server.host) && server.trustedProxies.length === 0)
        return Promise.resolve([ok(what, 'any number: who reaches this server is on this machine')]);
      const { perClient, perNetwork } = heldLimit;
      const whole = templates.filter(({ pool }) => perClient === 0 || perClient >= pool.max);
      const byNetwork = templates.filter(({ pool }) => perNetwork === 0 || perNetwork >= pool.max);
      const often = rateLimit.hourly === 0 || rateLimit.daily === 0;
      const names = (some: typeof templates): string => some.map(({ name }) => name).join(', ');
      if (whole.length > 0)
        return Promise.resolve([
          warning(
            what,
            `${perClient === 0 ? 'any number' : perClient}: all there may be of ${names(whole)}`,
            'Lower HELD_LIMIT, or raise POOL_MAX_SIZE (or pool.max of the template) well above it.',
          ),
        ]);
      if (byNetwork.length > 0)
        return Promise.resolve([
          warning(
            what,
            `${perClient}, but one network of IPv6 ${perNetwork === 0 ? 'any number' : perNetwork}: all there may be ` +
              `of ${names(byNetwork)}`,
            'Lower HELD_LIMIT_NETWORK, or raise POOL_MAX_SIZE (or pool.max of the template) well above it.',
          ),
        ]);
      if (often)
        return Promise.resolve([
          warning(
            what,
            `${perClient}, but one after the other without end`,
            'Set RATE_LIMIT_HOURLY and RATE_LIMIT_DAILY: each start costs this host seconds of work.',
          ),
        ]);
      return Promise.resolve([
        ok(what, `${perClient} at once, ${rateLimit.hourly} in an hour; one network of IPv6 ${perNetwork} at once`),
      ]);
    },
  };
}
