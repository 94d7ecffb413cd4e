# How an attack runs SQL as the app of its instance may, with the clients of the servers themselves.
package main;

require '/attacks/database.pl';

our %login;
for my $what (qw(SOCKET NAME USER PASSWORD)) { $login{$what} = told($what) }
$ENV{MYSQL_PWD} = $ENV{PGPASSWORD} = $login{PASSWORD};
my ($folder) = $login{SOCKET} =~ m{^(.*)/};
my %clients = (
  mariadb => "/bin/mariadb --no-defaults --socket=$login{SOCKET} --user=$login{USER} $login{NAME}",
  postgresql => "/bin/psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=VERBOSITY=verbose --host=$folder "
    . "--username=$login{USER} $login{NAME}",
);

# One line: `done`, or what the server calls the first error.
sub attempt {
  my ($server, $what, $sql) = @_;
  my $said = `$clients{$server} 2>&1 <<'END'\n$sql\nEND\n`;
  my ($error) = $said =~ /ERROR (\d+)/ ? $1 : $said =~ /(?:ERROR|FATAL): +(\w{5}):/ ? $1 : $? ? "failed: $said" : 'done';
  print "$what $error\n";
}

# For ten minutes, in the background; the web server waits until nobody holds its pipe.
sub keep {
  my ($server, $sql) = @_;
  my $keeper = fork // die "fork: $!";
  return if $keeper;
  close $_ for *STDIN, *STDOUT, *STDERR;
  exec '/bin/sh', '-c', "$clients{$server} >/dev/null 2>&1 <<'END'\n$sql\nEND\n";
}
1;
