import { isIP } from 'node:net';
import { connect } from 'node:tls';

/** The other side said in TLS that it will not have this handshake: only who speaks it can. */
const TLS_ALERT = /^ERR_SSL_\w+_ALERT_/;

/**
 * Whether what listens there answers the beginning of a TLS handshake with TLS. Nothing is sent beyond the handshake,
 * and no certificate is believed or refused: the app is somebody's own program.
 */
export function speaksTls(
  { hostname, port }: URL,
  name: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const servername = name.replace(/:\d+$/, '');
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port === '' ? 80 : port),
      rejectUnauthorized: false,
      ...(isIP(servername) === 0 ? { servername } : {}),
    });
    const settle = (found: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(found);
    };
    const stop = (): void => settle(false);
    const timer = setTimeout(stop, timeoutMs);
    signal.addEventListener('abort', stop, { once: true });
    // Errors after the first one are nobody's concern, and end nothing.
    socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => settle(TLS_ALERT.test(code)));
    socket.once('secureConnect', () => settle(true)).once('end', stop);
    if (signal.aborted) stop();
  });
}
