# Speaks MariaDB's protocol on its socket, as far as an attack or a page needs it. Perl alone, without any module.
package main;

# What the activation hook was told; undefined where the instance has no database.
sub told {
  my ($name) = @_;
  open my $file, '<', '/tmp/identity' or die "identity: $!";
  while (<$file>) { return $1 if /^TRY_IT_NOW_DATABASE_$name=(.*)$/ }
  return undef;
}

# Connected, and nothing said.
sub knock {
  socket my $session, 1, 1, 0 or die "socket: $!";
  connect $session, pack 'S a108', 1, told('SOCKET') or die "connect: $!";
  return $session;
}

sub receive {
  my ($session) = @_;
  my $take = sub {
    my ($left) = @_;
    my $text = '';
    while ($left > 0) {
      my $got = sysread $session, my $more, $left;
      die "the server is gone\n" unless $got;
      $text .= $more;
      $left -= $got;
    }
    return $text;
  };
  my ($low, $high) = unpack 'v C', $take->(4);
  return $take->($low + ($high << 16));
}

sub transmit {
  my ($session, $number, $text) = @_;
  my $packet = pack('v C C', length($text) & 0xffff, length($text) >> 16, $number) . $text;
  while (length $packet) {
    my $sent = syswrite $session, $packet;
    die "the server is gone\n" unless $sent;
    substr($packet, 0, $sent) = '';
  }
}

# Logged in, as the instance's own user.
sub login {
  my $session = knock();
  my $greeting = receive($session);
  die "refused: $greeting\n" if ord $greeting == 255;
  my $from = index($greeting, "\0") + 5;
  my $salt = substr($greeting, $from, 8) . substr($greeting, $from + 27, 12);
  my $once = sha1(told('PASSWORD'));
  my $proof = $once ^ sha1($salt . sha1($once));
  # CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_CONNECT_WITH_DB, CLIENT_PLUGIN_AUTH
  my $abilities = 0x200 | 0x8000 | 0x8 | 0x80000;
  transmit($session, 1, pack 'V V C x23 Z* C/a* Z* Z*', $abilities, 2**24, 45, told('USER'), $proof, told('NAME'),
    'mysql_native_password');
  my $answer = receive($session);
  die 'not logged in: ', substr($answer, 9), "\n" if ord $answer != 0;
  return $session;
}

# The error, or '' when it went well. Rows are read and forgotten.
sub query {
  my ($session, $sql) = @_;
  transmit($session, 0, "\x03$sql");
  my $first = receive($session);
  return substr $first, 9 if ord $first == 255;
  return '' if ord $first == 0;
  for (my $ends = 0; $ends < 2;) {
    my $packet = receive($session);
    return substr $packet, 9 if ord $packet == 255;
    $ends++ if ord $packet == 254 && length $packet < 9;
  }
  return '';
}

# FIPS 180-4.
sub sha1 {
  my ($text) = @_;
  my $turn = sub { (($_[0] << $_[1]) | ($_[0] >> (32 - $_[1]))) & 0xffffffff };
  my $padded = "$text\x80";
  $padded .= "\0" while length($padded) % 64 != 56;
  $padded .= pack 'N2', 0, 8 * length $text;
  my @sum = (0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  for (my $at = 0; $at < length $padded; $at += 64) {
    my @words = unpack 'N16', substr $padded, $at, 64;
    push @words, $turn->($words[-3] ^ $words[-8] ^ $words[-14] ^ $words[-16], 1) for 16 .. 79;
    my ($a, $b, $c, $d, $e) = @sum;
    for my $round (0 .. 79) {
      my ($mixed, $constant) =
          $round < 20 ? (($b & $c) | (~$b & $d), 0x5a827999)
        : $round < 40 ? ($b ^ $c ^ $d, 0x6ed9eba1)
        : $round < 60 ? (($b & $c) | ($b & $d) | ($c & $d), 0x8f1bbcdc)
        :               ($b ^ $c ^ $d, 0xca62c1d6);
      my $next = ($turn->($a, 5) + ($mixed & 0xffffffff) + $e + $constant + $words[$round]) & 0xffffffff;
      ($e, $d, $c, $b, $a) = ($d, $c, $turn->($b, 30), $a, $next);
    }
    my @added = ($a, $b, $c, $d, $e);
    $sum[$_] = ($sum[$_] + $added[$_]) & 0xffffffff for 0 .. 4;
  }
  return pack 'N5', @sum;
}

# The rest of the program runs after the web server has answered.
sub go_on_alone {
  print "begun\n";
  exit 0 if fork // die "fork: $!";
  close $_ for *STDIN, *STDOUT, *STDERR;
  # Numbers below three, which the next things opened would have otherwise.
  open STDIN, '<', '/dev/null';
  open STDOUT, '>', '/dev/null';
  open STDERR, '>', '/dev/null';
}
1;
