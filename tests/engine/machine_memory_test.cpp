// The memory that a process may use, in control groups of both versions.
#include "engine/machine_memory.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"

using namespace polarscope;
using namespace polarscope::test;

TEST_CASE("the least limit of the control groups around the process counts") {
  const double machine = machine_memory("/no/such/root");
  CHECK(machine > 1e8);
  CHECK(machine_memory() <= machine);

  const TemporaryFolder second; // version 2
  second.write("proc/self/cgroup", "0::/outer/inner\n");
  CHECK(machine_memory(second.path()) == machine);
  second.write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  CHECK(machine_memory(second.path()) == machine);
  second.write("sys/fs/cgroup/outer/memory.max", "50000000\n");
  CHECK(machine_memory(second.path()) == 5e7);
  second.write("sys/fs/cgroup/outer/inner/memory.max", "40000000\n");
  CHECK(machine_memory(second.path()) == 4e7);

  const TemporaryFolder in_a_container; // which sees its own group as the root
  in_a_container.write("proc/self/cgroup", "0::/\n");
  in_a_container.write("sys/fs/cgroup/memory.max", "30000000\n");
  CHECK(machine_memory(in_a_container.path()) == 3e7);

  const TemporaryFolder first; // version 1, the group's own folder not visible
  first.write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:hugetlb,memory:/docker/abc\n0::/\nnonsense\n");
  first.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "20000000\n");
  CHECK(machine_memory(first.path()) == 2e7);
  first.write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(machine_memory(first.path()) == 2e7);
  first.write("sys/fs/cgroup/cpu/x/memory.limit_in_bytes", "10\n"); // of a controller that is not memory's
  CHECK(machine_memory(first.path()) == 2e7);
}
