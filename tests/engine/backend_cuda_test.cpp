// The CUDA backend above an emulated module does what the CPU's backend does; and without a GPU the device list says why.
#include "tests/support/catch.hpp"

#include "engine/backend.hpp"
#include "engine/backend_cuda.hpp"
#include "engine/conform_cases.hpp"
#include "engine/driver.hpp"
#include "engine/session.hpp"
#include "tests/support/emulated_cuda.hpp"

#include <algorithm>
#include <cmath>

using namespace polarscope;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // fibres

namespace {

using Records = std::vector<std::vector<std::byte>>;

struct Pair {
  std::unique_ptr<Backend> cpu_backend, cuda_backend;
  std::unique_ptr<MemberGroup> cpu, cuda;
  template <class F> void both(F f) {
    f(*cpu);
    f(*cuda);
  }
};

Pair open_both(const ConformCase& c) {
  Pair p;
  p.cpu_backend = std::move(open_backend("cpu", 1)).value();
  p.cuda_backend = make_cuda_backend(test::emulated_cuda(), "emulated");
  p.cpu = std::move(p.cpu_backend->open(c.f64)).value();
  p.cuda = std::move(p.cuda_backend->open(c.f64)).value();
  p.both([&](MemberGroup& g) {
    for (int m = 0; m < 3; ++m) {
      CHECK(*g.add(c.seed + static_cast<std::uint64_t>(m)) == m);
      g.set_hparams(m, c.hparams);
      for (const auto& [slot, values] : c.contents) g.write_slot(m, slot, values);
    }
  });
  return p;
}

bool close(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::fabs(a[i] - b[i]) <= 1e-9 * (1 + std::fabs(a[i])) || (std::isnan(a[i]) && std::isnan(b[i]))))
      return false;
  return true;
}

// Of consecutive records, the first of step `first`: those without weights have nothing in the room for them.
std::vector<double> numbers(const StepProgram& program, long first, const std::vector<std::byte>& bytes) {
  const auto* p = reinterpret_cast<const double*>(bytes.data());
  std::vector<double> all(p, p + bytes.size() / sizeof(double));
  const std::size_t size = program.record_size(), metrics = program.metrics().size();
  for (std::size_t i = 0; i < all.size() / size; ++i)
    if ((first + static_cast<long>(i)) % program.recorded_every() != 0)
      std::fill_n(all.begin() + static_cast<std::ptrdiff_t>(i * size + metrics), size - metrics, 0.0);
  return all;
}

std::vector<double> weight(const MemberGroup& g, const ConformCase& c, int member) {
  const ParamInfo& p = c.f64->parameters()[0];
  std::vector<double> w(std::size_t{p.rows} * p.cols);
  g.read_slot(member, p.weight, w);
  return w;
}

} // namespace

TEST_CASE("The CUDA backend steps, records, saves and restores like the CPU's") {
  for (const ConformCase& c : conform_cases()) {
    if (c.name.find("plain descent") == std::string::npos && c.name.find("adamw") == std::string::npos) continue;
    INFO(c.name);
    Pair p = open_both(c);
    const std::vector<int> all = {0, 1, 2}, some = {2, 0};
    Records a, b;
    p.cpu->start(all, a);
    p.cuda->start(all, b);
    for (std::size_t i = 0; i < 3; ++i) CHECK(close(numbers(*c.f64, 0, a[i]), numbers(*c.f64, 0, b[i])));
    p.cpu->advance(some, 7, a);
    p.cuda->advance(some, 7, b);
    REQUIRE(b.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) CHECK(close(numbers(*c.f64, 1, a[i]), numbers(*c.f64, 1, b[i])));
    for (int m = 0; m < 3; ++m) {
      CHECK(p.cuda->state(m).step == p.cpu->state(m).step);
      CHECK(close(weight(*p.cpu, c, m), weight(*p.cuda, c, m)));
    }
    std::vector<std::byte> kept(c.f64->persistent_bytes());
    p.cuda->save(0, kept);
    const MemberState then = p.cuda->state(0);
    const auto before = weight(*p.cuda, c, 0);
    p.cuda->advance(all, 2, b);
    CHECK(p.cuda->state(0).step == then.step + 2);
    p.cuda->restore(0, kept);
    p.cuda->set_state(0, then);
    CHECK(weight(*p.cuda, c, 0) == before);
    CHECK(p.cuda->state(0).step == then.step);
  }
}

TEST_CASE("The CUDA backend evaluates the loss elsewhere without moving the member") {
  const ConformCase c = conform_cases().front();
  Pair p = open_both(c);
  Records records;
  p.both([&](MemberGroup& g) { g.start(std::vector<int>{0, 1, 2}, records); });
  std::vector<double> weights;
  const std::size_t n = weight(*p.cpu, c, 1).size();
  for (std::size_t i = 0; i < 300 * n; ++i) weights.push_back(0.5 + std::sin(static_cast<double>(i)));
  const auto before = weight(*p.cuda, c, 1);
  CHECK(close(p.cpu->evaluate_loss(1, 0, weights), p.cuda->evaluate_loss(1, 0, weights)));
  CHECK(weight(*p.cuda, c, 1) == before);
}

TEST_CASE("A member's place on the CUDA backend is given again, and is like new") {
  const ConformCase c = conform_cases().front();
  Pair p = open_both(c);
  Records records;
  p.cuda->start(std::vector<int>{0, 1, 2}, records);
  p.cuda->advance(std::vector<int>{0, 1, 2}, 5, records);
  const auto other = weight(*p.cuda, c, 2);
  p.both([&](MemberGroup& g) { g.remove(1); });
  p.both([&](MemberGroup& g) { CHECK(*g.add(c.seed) == 1); });
  CHECK(p.cuda->count() == 3);
  CHECK(p.cuda->state(1).step == 0);
  std::vector<std::byte> kept(c.f64->persistent_bytes());
  p.cuda->save(1, kept);
  CHECK(std::all_of(kept.begin(), kept.end(), [](std::byte b) { return b == std::byte{0}; }));
  CHECK(weight(*p.cuda, c, 2) == other);
}

TEST_CASE("A CUDA device that fails is told of once, and nothing moves any more") {
  const ConformCase c = conform_cases().front();
  Pair p = open_both(c);
  Records records;
  p.cuda->start(std::vector<int>{0, 1, 2}, records);
  p.cuda->advance(std::vector<int>{0, 1, 2}, 4, records);
  CHECK_FALSE(p.cuda_backend->failure());
  test::emulated_cuda_fails_after(0);
  p.cuda->advance(std::vector<int>{0, 1, 2}, 4, records);
  test::emulated_cuda_fails_after(-1); // the device would answer again: what failed once stays failed
  REQUIRE(p.cuda_backend->failure());
  CHECK(p.cuda_backend->failure()->text() == "cuda: emulated");
  CHECK(p.cuda_backend->failure()->kind == ErrorKind::machine_lacks);
  CHECK(records.size() == 3);
  for (const auto& r : records) CHECK(r.empty());
  CHECK(p.cuda->state(0).step == 4);
  p.cuda->advance(std::vector<int>{0, 1, 2}, 4, records);
  CHECK(p.cuda->state(0).step == 4);
  for (const double x : weight(*p.cuda, c, 0)) CHECK(std::isnan(x));
  for (const double x : p.cuda->evaluate_loss(0, 0, std::vector<double>(weight(*p.cpu, c, 0).size(), 0.5)))
    CHECK(std::isnan(x));
  CHECK_FALSE(p.cuda_backend->open(c.f64).ok());
}

TEST_CASE("A CUDA device without room for another member goes on with those it has") {
  const ConformCase c = conform_cases().front();
  Pair p = open_both(c);
  const auto one = static_cast<long long>(c.f64->block_bytes());
  const std::vector<int> all = {0, 1, 2};
  Records records;
  p.both([&](MemberGroup& g) { g.start(all, records); });
  test::emulated_cuda_has_memory(one - 1);
  const auto refused = p.cuda->add(7);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().kind == ErrorKind::machine_lacks);
  CHECK(refused.error().text().find("cuda: emulated memory is full; a run takes ") == 0);
  CHECK(p.cuda->count() == 3);
  CHECK_FALSE(p.cuda_backend->failure());
  p.both([&](MemberGroup& g) { g.advance(all, 5, records); });
  for (int m = 0; m < 3; ++m) CHECK(close(weight(*p.cpu, c, m), weight(*p.cuda, c, m)));
  test::emulated_cuda_has_memory(one);
  CHECK(*p.cuda->add(7) == 3);
  test::emulated_cuda_has_memory(-1);
}

TEST_CASE("A loss elsewhere takes the memory there is: fewer weights at once, or no picture") {
  const ConformCase c = conform_cases().front();
  Pair p = open_both(c);
  Records records;
  p.both([&](MemberGroup& g) { g.start(std::vector<int>{0, 1, 2}, records); });
  const auto one = static_cast<long long>(c.f64->block_bytes() + c.f64->view().scratch_size * sizeof(double));
  std::vector<double> weights;
  const std::size_t n = weight(*p.cpu, c, 1).size();
  for (std::size_t i = 0; i < 20 * n; ++i) weights.push_back(0.5 + std::sin(static_cast<double>(i)));
  test::emulated_cuda_has_memory(0);
  CHECK(p.cuda->evaluate_loss(1, 0, weights).empty());
  CHECK_FALSE(p.cuda_backend->failure());
  test::emulated_cuda_has_memory(5 * one); // a quarter of it has room for one
  CHECK(close(p.cpu->evaluate_loss(1, 0, weights), p.cuda->evaluate_loss(1, 0, weights)));
  CHECK_FALSE(p.cuda_backend->failure());
  p.cuda.reset();
  test::emulated_cuda_has_memory(-1);
}

TEST_CASE("A session on a full device refuses another run, and works on") {
  SessionOptions options;
  options.make_backend = [] { return make_cuda_backend(test::emulated_cuda(), "emulated"); };
  auto scene = load_scene("first_look");
  REQUIRE(scene.ok());
  auto session = std::move(Session::open(*scene, options)).value();
  test::emulated_cuda_has_memory(0);
  const auto said = session->apply(command::AddRun{"adam"});
  REQUIRE_FALSE(said.ok());
  CHECK(said.error().kind == ErrorKind::machine_lacks);
  CHECK(said.error().text().find("GB are free") != std::string::npos);
  CHECK_FALSE(session->failure());
  CHECK(session->plane_loss(1, 0, {1, 0}, {0, 1}, 16).empty());
  CHECK(session->advance(20) == 20);
  test::emulated_cuda_has_memory(-1);
  CHECK(session->plane_loss(1, 0, {1, 0}, {0, 1}, 16).size() == 16);
  CHECK(session->apply(command::AddRun{"adam"}).ok());
  CHECK(session->head() == 20);
}

TEST_CASE("A session whose device fails stops with what it has") {
  SessionOptions options;
  options.make_backend = [] { return make_cuda_backend(test::emulated_cuda(), "emulated"); };
  auto scene = load_scene("first_look");
  REQUIRE(scene.ok());
  auto session = std::move(Session::open(*scene, options)).value();
  CHECK(session->advance(20) == 20);
  test::emulated_cuda_fails_after(3);
  const long made = session->advance(500);
  test::emulated_cuda_fails_after(-1);
  CHECK(made < 500);
  REQUIRE(session->failure());
  CHECK(session->failure()->text() == "cuda: emulated");
  CHECK(session->head() == 20 + made);
  CHECK(session->advance(10) == 0);
  CHECK_FALSE(session->continue_work(1));
  Frame frame;
  session->fill(frame);
  CHECK(frame.notice == "cuda: emulated");
  CHECK(frame.runs[0].series.last_step() == 20 + made);
  CHECK_FALSE(session->apply(command::AddRun{"adam"}).ok());
  CHECK_FALSE(Session::open(*scene, options)->get()->failure()); // another session is another device context
  test::emulated_cuda_fails_after(4);
  CHECK(Session::open(*scene, options).error().kind == ErrorKind::machine_lacks); // while runs are made
  test::emulated_cuda_fails_after(-1);
}

TEST_CASE("A device that fails while a path is made again leaves a session that says so") {
  auto scene = load_scene("first_look");
  REQUIRE(scene.ok());
  SessionOptions options;
  options.make_backend = [] { return make_cuda_backend(test::emulated_cuda(), "emulated"); };
  int behind = 0;
  for (int calls = 0; calls < 10; ++calls) { // of about ten: four writes, the start, two reads, a burst
    CAPTURE(calls);
    auto session = std::move(Session::open(*scene, options)).value();
    REQUIRE(session->advance(40) == 40);
    test::emulated_cuda_fails_after(calls);
    const auto said = session->apply(command::SetHparam{1, "lr", 0.05, EditMode::from_start});
    CHECK(said.ok() == !session->failure());
    while (session->continue_work(10)) {} // what a slow machine has left
    test::emulated_cuda_fails_after(-1);
    REQUIRE(session->failure());
    Frame frame;
    session->fill(frame);
    CHECK_FALSE(frame.computing); // what cannot be caught up is not waited for
    CHECK_FALSE(frame.runs[0].series.empty());
    behind += frame.runs[0].series.last_step() < session->head() ? 1 : 0;
    CHECK(session->advance(10) == 0);
    CHECK_FALSE(session->continue_work(1));
    for (const Command& c : {Command(command::Play{}), Command(command::ComputeTo{50}), Command(command::StepBy{1}),
                             Command(command::Restart{}), Command(command::AddRun{"adam"}),
                             Command(command::SetHparam{2, "lr", 0.05, EditMode::from_here})}) {
      const auto refused = session->apply(c);
      REQUIRE_FALSE(refused.ok());
      CHECK(refused.error().text() == "cuda: emulated");
    }
    CHECK(session->apply(command::MoveCursor{10}).ok());
    CHECK(session->apply(command::SelectRun{2}).ok());
    CHECK(session->head() == 40);
    CHECK(session->state_at(1, 10).ok());
    session->state_hash_at(1, 5);
    session->fill(frame);
    CHECK(frame.cursor == 10);
  }
  CHECK(behind > 0); // the case that this is about
}

TEST_CASE("Playing after the device has failed says so and stops") {
  auto scene = load_scene("first_look");
  REQUIRE(scene.ok());
  SessionOptions options;
  options.make_backend = [] { return make_cuda_backend(test::emulated_cuda(), "emulated"); };
  Driver driver(std::move(Session::open(*scene, options)).value(), options, false);
  driver.send(command::ComputeTo{40});
  do driver.pump(0);
  while (driver.busy());
  REQUIRE(driver.frame()->head == 40);
  test::emulated_cuda_fails_after(9); // in the first burst of the path that is made again
  driver.send(command::SetHparam{1, "lr", 0.05, EditMode::from_start});
  driver.pump(0);
  test::emulated_cuda_fails_after(-1);
  for (const Command& c : {Command(command::Play{}), Command(command::ComputeTo{50}), Command(command::StepBy{3})}) {
    driver.send(c);
    for (int i = 0; i < 3; ++i) driver.pump(0.1);
    CHECK_FALSE(driver.busy());
    CHECK_FALSE(driver.frame()->playing);
    CHECK_FALSE(driver.frame()->computing);
    CHECK(driver.frame()->notice == "cuda: emulated");
    CHECK(driver.frame()->notice_is_error);
    CHECK(driver.frame()->head == 40);
  }
}

TEST_CASE("A diverged member stands still on the CUDA backend") {
  const ConformCase c = conform_cases().front();
  Pair p = open_both(c);
  Records records;
  std::vector<double> w = weight(*p.cuda, c, 1);
  for (double& x : w) x = 0; // no direction: the loss is not a number
  p.cuda->start(std::vector<int>{0, 1}, records);
  p.cuda->write_slot(1, c.f64->parameters()[0].weight, w);
  p.cuda->advance(std::vector<int>{0, 1}, 5, records);
  CHECK_FALSE(p.cuda->state(0).diverged);
  CHECK(p.cuda->state(0).step == 5);
  CHECK(p.cuda->state(1).diverged);
  CHECK(p.cuda->state(1).diverged_at == 1);
  CHECK(records[0].size() == 5 * c.f64->record_size() * sizeof(double));
  CHECK(records[1].size() == c.f64->record_size() * sizeof(double));
}

#endif

TEST_CASE("The device list has cuda, and says in one line why it cannot be used") {
  const auto list = devices();
  REQUIRE(list.size() == 2);
  CHECK(list[0].name == "cpu");
  CHECK(list[0].available);
  CHECK(list[1].name == "cuda");
  CHECK(list[1].available == list[1].why_not.empty());
  CHECK(list[1].why_not.find('\n') == std::string::npos);
  const auto opened = open_backend("cuda", 1);
  CHECK(opened.ok() == list[1].available);
  if (!opened) {
    CHECK(opened.error().kind == ErrorKind::machine_lacks);
    CHECK(opened.error().message == list[1].why_not);
  }
  CHECK(open_backend("abacus", 1).error().kind == ErrorKind::bad_input);
}

TEST_CASE("A session looks for a GPU only where it is asked to") {
  const auto scene = load_scene("first_look");
  REQUIRE(scene.ok());
  for (const bool asked : {false, true}) {
    SessionOptions options;
    options.looks_for_gpu = asked;
    const auto session = Session::open(*scene, options);
    REQUIRE(session.ok());
    Frame frame;
    (*session)->fill(frame);
    CHECK(frame.device.find("CPU") == 0);
    CHECK(frame.device_note == (asked ? devices()[1].why_not : ""));
  }
}
