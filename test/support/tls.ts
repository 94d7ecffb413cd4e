import { once } from 'node:events';
import { connect } from 'node:tls';

export interface TlsAnswer {
  /** Whom the certificate names. */
  readonly names: string;
  readonly issuer: string;
  readonly status: number;
  readonly body: string;
}

/**
 * One GET over TLS under `name`, of a server on loopback whose authority nobody trusts. Rejects
 * when there is no certificate.
 */
export async function getOverTls(port: number, name: string): Promise<TlsAnswer> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    servername: name,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  try {
    await once(socket, 'secureConnect');
    const { subjectaltname = '', issuer } = socket.getPeerCertificate();
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    await once(socket, 'end');
    const [head = '', body = ''] = text.split('\r\n\r\n');
    return { names: subjectaltname, issuer: String(issuer.CN), status: Number(head.split(' ')[1]), body };
  } finally {
    socket.destroy();
  }
}
