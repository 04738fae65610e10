# Stands for Homebrew: reads a formula as it would be read on a system, and installs from the folder it is called in.
#
#   ruby formula.rb FORMULA macos|linux arm|intel
#
# Prints what the formula says, and each file that it installs with the place for it; fails if a file is not there.

SYSTEM, PROCESSOR = ARGV[1], ARGV[2]

# A place to install to, such as man1.
class Place
  def initialize(name)
    @name = name
  end

  def install(files)
    (files.is_a?(Hash) ? files : { files => File.basename(files) }).each do |from, to|
      raise "#{from} is not there" unless File.file?(from)

      puts "#{@name} #{from} #{to}"
    end
  end
end

class Formula
  def self.show(word, value)
    puts "#{word} #{value}"
  end

  %w[desc homepage version license url sha256].each do |word|
    define_singleton_method(word) { |value| show(word, value) }
  end
  def self.on_macos = SYSTEM == "macos" && yield
  def self.on_linux = SYSTEM == "linux" && yield
  def self.on_arm = PROCESSOR == "arm" && yield
  def self.on_intel = PROCESSOR == "intel" && yield
  def self.test = nil

  %w[bin man1 bash_completion zsh_completion fish_completion].each do |name|
    define_method(name) { Place.new(name) }
  end
end

load ARGV[0]
Netecho.new.install
