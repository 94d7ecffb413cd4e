import { ChildServer } from '../../src/launcher/child-server.ts';

/**
 * What systemd does for a unit with a datagram socket, by its own protocol (sd_listen_fds): it binds and keeps the
 * socket, hands it to the program as descriptor 3, and starts the program again at once whenever it ends.
 */
const ACTIVATOR = `
use Socket; use POSIX ();
$| = 1; $^F = 20;
my ($host, $port, @command) = @ARGV;
socket(my $socket, PF_INET, SOCK_DGRAM, 0) or die $!;
bind($socket, sockaddr_in($port, inet_aton($host))) or die $!;
POSIX::dup2(fileno $socket, 3);
my $pid;
$SIG{TERM} = sub { kill 'KILL', $pid if $pid; exit 0 };
for (;;) {
  $pid = fork;
  if ($pid == 0) { $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1; exec @command or die $! }
  print "started $pid\\n";
  waitpid $pid, 0;
}`;

export interface Activated {
  /** The one that holds the socket. */
  readonly server: ChildServer;
  /** Of the program that runs now. */
  pid(): number;
}

/** Resolves when the program says that it is up. */
export async function activate(options: {
  readonly name: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly saysUp: string;
}): Promise<Activated> {
  const { name, listen, command, env, saysUp } = options;
  const args = ['-e', ACTIVATOR, listen.host, String(listen.port), 'setpriv', '--pdeathsig', 'KILL', ...command];
  const server = await ChildServer.start({ name, command: 'perl', args, env, saysUp });
  return {
    server,
    pid: () => {
      const started = [...server.tail(60).matchAll(/^started (\d+)$/gm)].at(-1)?.[1];
      if (started === undefined) throw new Error(`${name} was not started: ${server.tail()}`);
      return Number(started);
    },
  };
}
