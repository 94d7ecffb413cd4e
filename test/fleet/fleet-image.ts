import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';

/** Answers every request with a page, and one that asks for another protocol by echoing whatever comes after it. */
const SERVE = `#!/bin/sh
read -r request
while read -r header; do
  header=\${header%?}
  case $header in
    '') break ;;
    [Uu]pgrade:*) upgrades=yes ;;
  esac
done
if [ "$upgrades" = yes ]; then
  printf 'HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n'
  exec /bin/busybox cat
fi
page="<!doctype html><title>$HOSTNAME</title>"
printf 'HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\nConnection: close\\r\\n'
printf 'Content-Length: %s\\r\\n\\r\\n%s' "\${#page}" "$page"
`;

/** The same page from a server that costs next to nothing. */
const PAGE = `mkdir /tmp/www
echo "<!doctype html><title>$HOSTNAME</title>" > /tmp/www/index.html
exec /bin/busybox httpd -f -p 80 -h /tmp/www`;

const COMMANDS = {
  /** And, by an upgrade, a connection that stays open. */
  echo: ['/bin/busybox', 'nc', '-ll', '-p', '80', '-e', '/bin/serve'],
  page: ['/bin/sh', '-c', PAGE],
};
export type FleetApp = keyof typeof COMMANDS;

/** A 2 MB image with a page that tells one container from another. */
export async function loadFleetImage(socketPath: string, app: FleetApp = 'echo'): Promise<TinyImage> {
  return loadTinyImage(socketPath, COMMANDS[app], [], undefined, async (root) => {
    await writeFile(join(root, 'bin/serve'), SERVE);
    await chmod(join(root, 'bin/serve'), 0o755);
  });
}
