#include <fmt/format.h>

int main() { fmt::print("polarscope {}\n", POLARSCOPE_VERSION); }
