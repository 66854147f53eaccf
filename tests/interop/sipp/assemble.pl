#!/usr/bin/perl
# assemble.pl SCENARIO.xml: replace each line
#   <!-- part NAME KEY="VALUE" ... -->
# by parts/NAME.xml, with @KEY@ in it replaced. In a value "|" ends a line, and &quot; &lt; &gt; stand
# for their characters; a line that consists of an empty value alone goes, since in SIP an empty
# line ends the headers.
use strict;
use warnings;
use File::Basename;

my $parts = dirname(__FILE__) . '/parts';
my $depth = 0;
print assemble($ARGV[0], {});

sub assemble {
  my ($path, $values) = @_;
  die "$path: parts within parts within parts\n" if ++$depth > 3;
  open my $file, '<', $path or die "$path: $!\n";
  my $text = '';
  while (my $line = <$file>) {
    my $key = $line =~ /^\@([A-Z]+)\@$/ ? $1 : '';
    next if $key && ($values->{$key} // '') eq '';
    $line =~ s/\@([A-Z]+)\@/$values->{$1} \/\/ ''/ge;
    if ($line =~ /^ *<!-- part (\w+)(.*)-->$/) {
      my ($name, $rest, %inner) = ($1, $2);
      $inner{$1} = value($2) while $rest =~ /([A-Z]+)="([^"]*)"/g;
      $line = assemble("$parts/$name.xml", \%inner);
    }
    $text .= $line;
  }
  $depth--;
  return $text;
}

sub value {
  my $value = shift;
  my %character = (quot => '"', lt => '<', gt => '>');
  $value =~ s/&(quot|lt|gt);/$character{$1}/g;
  $value =~ tr/|/\n/;
  return $value;
}
