#include "app/cli.hpp"

int main(int argc, char** argv) { return polarscope::run_command_line(argc, argv); }
