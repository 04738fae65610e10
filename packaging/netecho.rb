# Made from packaging/netecho.rb and SHA256SUMS of the release.
class Netecho < Formula
  desc "Do bytes get from here to there and back, and how well"
  homepage "@REPOSITORY@"
  version "@VERSION@"
  license "MIT"

  on_macos do
    on_arm do
      url "@URL aarch64-apple-darwin@"
      sha256 "@SUM aarch64-apple-darwin@"
    end
    on_intel do
      url "@URL x86_64-apple-darwin@"
      sha256 "@SUM x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@URL aarch64-unknown-linux-gnu@"
      sha256 "@SUM aarch64-unknown-linux-gnu@"
    end
    on_intel do
      url "@URL x86_64-unknown-linux-gnu@"
      sha256 "@SUM x86_64-unknown-linux-gnu@"
    end
  end

  def install
    bin.install "netecho"
    man1.install "netecho.1"
    bash_completion.install "completions/netecho.bash" => "netecho"
    zsh_completion.install "completions/_netecho"
    fish_completion.install "completions/netecho.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/netecho --version")
    assert_match "netecho serve", shell_output("#{bin}/netecho --help")
  end
end
