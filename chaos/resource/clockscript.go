package resource

// clockScript is what patches the vDSO of the processes of a node, in Perl,
// which every Debian has. It is told by variables:
//
//	NODE_PID  the main process; its descendants belong to it
//	MODE      check: print the vDSO, having done to it all that a patch needs; set; unset
//	PATCH     the patch
//
// The threads of a process are held meanwhile, as by a debugger, so that none of
// them is where the code changes, and the signals that came to them are passed
// on. The kernel lets them go should this be killed.
//
//nolint:dupword // words of Perl
const clockScript = `
use strict;
no warnings;
$| = 1;
my ($mode, $main) = ($ENV{MODE}, $ENV{NODE_PID} + 0);
my @patch = map { my @f = split /:/; { kind => $f[0], at => $f[1], old => pack("H*", $f[2]), new => pack("H*", $f[3]) } } split / /, $ENV{PATCH};

# The main process and its descendants.
sub family {
	my (%parent, @list);
	for (glob "/proc/[0-9]*/stat") {
		open my $f, "<", $_ or next;
		my $line = <$f>;
		$parent{$1} = $2 if $line =~ /^(\d+) \(.*\) \S (\d+)/s;
	}
	for my $pid (keys %parent) {
		for (my $p = $pid; $p; $p = $parent{$p}) {
			if ($p == $main) { push @list, $pid; last }
		}
	}
	return sort { $a <=> $b } @list;
}

# Does something with the rights of who owns a process, and returns the number
# that it returns.
sub owned {
	my ($pid, $do) = @_;
	my $child = fork;
	die "fork: $!\n" unless defined $child;
	if (!$child) {
		my $n = eval { $do->($pid, opened($pid)) };
		if ($@) {
			exit 0 unless $mode eq "check" or -e "/proc/$pid/mem";
			print STDERR "process $pid: $@";
			exit 255;
		}
		exit $n;
	}
	waitpid $child, 0;
	exit 1 if $? >> 8 == 255 or $? & 127;
	return $? >> 8;
}

sub opened {
	my ($pid) = @_;
	my $mem;
	return $mem if open $mem, "+<:raw", "/proc/$pid/mem";
	open my $f, "<", "/proc/$pid/status" or die "$!\n";
	my ($uid, $gid);
	while (<$f>) {
		$uid = $1 if /^Uid:\s+(\d+)/;
		$gid = $1 if /^Gid:\s+(\d+)/;
	}
	$( = $gid; $) = "$gid $gid"; $< = $uid; $> = $uid;
	open $mem, "+<:raw", "/proc/$pid/mem" or die "write to its memory: $!: the kernel lets nobody debug it (kernel.yama.ptrace_scope?)\n";
	return $mem;
}

sub vdso {
	my ($pid) = @_;
	open my $f, "<", "/proc/$pid/maps" or die "read its memory map: $!\n";
	while (<$f>) { return (hex $1, hex $2) if /^(\w+)-(\w+) .*\[vdso\]$/ }
	return;
}

sub got {
	my ($mem, $at, $size) = @_;
	my $bytes;
	sysseek $mem, $at, 0;
	sysread($mem, $bytes, $size) == $size or die "read its memory: $!\n";
	return $bytes;
}

sub put {
	my ($mem, $at, $bytes) = @_;
	sysseek $mem, $at, 0;
	syswrite($mem, $bytes) == length $bytes or die "write to its memory: $!\n";
}

# Reports whether a held thread is between two addresses of those given, or will
# be when it returns from a signal: where that came is in its stack then.
sub between {
	my ($mem, $tid, @zones) = @_;
	my $buf = "\0" x 512;
	syscall(101, 12, $tid + 0, 0, $buf) == 0 or return 0; # PTRACE_GETREGS
	my ($rip, $rsp) = (unpack "Q27", $buf)[16, 19];
	my $stack = "";
	sysseek $mem, $rsp, 0;
	sysread $mem, $stack, 65536; # a handler's own stack, all of it
	for my $zone (@zones) {
		return 1 if $rip >= $zone->[0] and $rip < $zone->[1];
		for my $at ($zone->[0] + 1 .. $zone->[1] - 1) {
			return 1 if index($stack, pack "Q", $at) >= 0;
		}
	}
	return 0;
}

# Holds all threads of a process while something is done, when none of them is
# between two addresses of those given.
sub held {
	my ($pid, $mem, $do, @zones) = @_;
	for (1 .. 200) {
		my (%signal, $more);
		do {
			$more = 0;
			for my $dir (glob "/proc/$pid/task/*") {
				my ($tid) = $dir =~ /(\d+)$/;
				next if exists $signal{$tid};
				if (syscall(101, 0x4206, $tid + 0, 0, 0) == -1) { # PTRACE_SEIZE
					next unless -e $dir;
					die "hold its threads: $!: the kernel lets nobody debug it (kernel.yama.ptrace_scope?)\n";
				}
				syscall(101, 0x4207, $tid + 0, 0, 0); # PTRACE_INTERRUPT
				my ($until, $r) = (time + 3, 0);
				until ($r) {
					die "thread $tid cannot be held\n" if time > $until;
					$r = waitpid $tid, 0x40000001; # __WALL, WNOHANG
					select undef, undef, undef, 0.0005 unless $r;
				}
				my $status = ${^CHILD_STATUS_NATIVE};
				next unless $r == $tid and ($status & 0xff) == 0x7f;
				# A signal on its way, unless it was held as asked.
				$signal{$tid} = $status >> 16 ? 0 : ($status >> 8) & 0xff;
				$more = 1;
			}
		} while $more;
		my $free = 1;
		for my $tid (keys %signal) { $free = 0 if $free and between($mem, $tid, @zones) }
		$do->() if $free;
		syscall(101, 17, $_ + 0, 0, $signal{$_} + 0) for keys %signal; # PTRACE_DETACH
		return if $free;
		select undef, undef, undef, 0.001;
	}
	die "its threads are always at the clock\n";
}

# Reports whether the process needed the patch, or to lose it.
sub patched {
	my ($pid, $mem) = @_;
	my ($from) = vdso($pid) or return 0;
	my @todo;
	for (@patch) {
		my $is = got($mem, $from + $_->{at}, length $_->{new});
		if ($mode eq "unset") {
			push @todo, [$from + $_->{at}, $_->{old}, "jump"] if $_->{kind} eq "jump" and $is eq $_->{new};
			next;
		}
		next if $is eq $_->{new};
		die "its clock was changed by somebody else\n" if $_->{kind} eq "jump" and $is ne $_->{old};
		push @todo, [$from + $_->{at}, $_->{new}, $_->{kind}];
	}
	return 0 unless @todo;
	# What was added may change under those who are there: only its numbers do.
	my @zones = map { [$_->[0], $_->[0] + length $_->[1]] } grep { $_->[2] eq "jump" } @todo;
	held($pid, $mem, sub { put($mem, $_->[0], $_->[1]) for @todo }, @zones);
	return 1;
}

sub checked {
	my ($pid, $mem) = @_;
	my ($from, $to) = vdso($pid) or die "it has no vDSO\n";
	my $image = got($mem, $from, $to - $from);
	held($pid, $mem, sub { put($mem, $from, substr $image, 0, 4) });
	print unpack("H*", $image), "\n";
	return 0;
}

if ($mode eq "check") {
	owned($main, \&checked);
	exit 0;
}
for (1 .. 50) { # until none was born meanwhile that has it otherwise
	my $n = 0;
	$n += owned($_, \&patched) for family();
	exit 0 unless $n;
}
print STDERR "new processes all the time\n";
exit 1;
`
