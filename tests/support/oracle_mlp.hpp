// A multilayer perceptron written out sample by sample, in any number type: doubles for losses, dual numbers for derivatives.
#pragma once

#include "tests/support/dual.hpp"
#include "tests/support/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace polarscope::test {

struct MlpOracle {
  std::size_t layers = 3, width = 16, expansion = 0;
  std::string norm = "pre", activation = "relu";
  double eps = 1e-6, alpha = 0; // 0: no residual
  bool gains = false, embedding = false, head = false, classes = false;

  template <class S> using Weights = std::map<std::string, std::vector<S>>;

  // y_i = Σ_j W_ij x_j
  template <class S> static std::vector<S> times(const std::vector<S>& w, const std::vector<S>& x) {
    std::vector<S> y(w.size() / x.size(), S(0));
    for (std::size_t i = 0; i < y.size(); ++i)
      for (std::size_t j = 0; j < x.size(); ++j) y[i] += w[i * x.size() + j] * x[j];
    return y;
  }

  template <class S> S act(S x) const {
    using std::exp;
    using std::tanh;
    if (activation == "relu") return x > S(0) ? x : S(0);
    if (activation == "relu2") return x > S(0) ? x * x : S(0);
    if (activation == "silu") return x / (S(1) + exp(S(0) - x));
    const S inner = S(std::sqrt(2 / 3.14159265358979323846)) * (x + S(0.044715) * x * x * x);
    return S(0.5) * x * (S(1) + tanh(inner));
  }

  template <class S> std::vector<S> acted(std::vector<S> x) const {
    for (S& v : x) v = act(v);
    return x;
  }

  template <class S> std::vector<S> normalised(std::vector<S> x, const Weights<S>& w, const std::string& gain) const {
    using std::sqrt;
    if (norm != "pre" && norm != "sandwich") return x;
    S square(0);
    for (const S& v : x) square += v * v;
    const S root = sqrt(square / S(static_cast<double>(x.size())) + S(eps));
    for (std::size_t j = 0; j < x.size(); ++j) {
      x[j] = x[j] / root;
      if (gains) x[j] = x[j] * w.at(gain)[j];
    }
    return x;
  }

  // The matrix as the layer uses it.
  template <class S> std::vector<S> used(std::vector<S> w, std::size_t cols) const {
    using std::sqrt;
    if (norm != "row") return w;
    for (std::size_t i = 0; i < w.size() / cols; ++i) {
      S square(0);
      for (std::size_t j = 0; j < cols; ++j) square += w[i * cols + j] * w[i * cols + j];
      for (std::size_t j = 0; j < cols; ++j) w[i * cols + j] = w[i * cols + j] / sqrt(square);
    }
    return w;
  }

  template <class S> std::vector<S> outputs(const Weights<S>& w, std::vector<S> h) const {
    if (embedding) h = times(w.at("embedding"), h);
    for (std::size_t l = 1; l <= layers; ++l) {
      const std::string k = std::to_string(l);
      std::vector<S> f = normalised(h, w, "g" + k);
      if (expansion == 0) {
        f = times(used(w.at("W" + k), width), f);
        if (l < layers || head) f = acted(f);
      } else {
        f = acted(times(used(w.at("A" + k), width), f));
        f = times(used(w.at("B" + k), width * expansion), f);
      }
      if (norm == "sandwich") f = normalised(f, w, "o" + k);
      if (alpha == 0) h = f;
      else
        for (std::size_t j = 0; j < h.size(); ++j) h[j] = h[j] + S(alpha) * f[j];
    }
    return head ? times(w.at("head"), normalised(h, w, "g_head")) : h;
  }

  // Mean over the samples; `targets` holds a row, or one class, per sample.
  template <class S>
  S loss(const Weights<S>& w, const Numbers& inputs, const Numbers& targets, std::size_t samples) const {
    using std::exp;
    using std::log;
    const std::size_t features = inputs.size() / samples;
    S total(0);
    for (std::size_t s = 0; s < samples; ++s) {
      std::vector<S> x;
      for (std::size_t j = 0; j < features; ++j) x.push_back(S(inputs[s * features + j]));
      const std::vector<S> z = outputs(w, x);
      if (classes) {
        S sum(0);
        for (const S& v : z) sum += exp(v);
        total += log(sum) - z[static_cast<std::size_t>(targets[s])];
      } else {
        S square(0);
        for (std::size_t j = 0; j < z.size(); ++j) {
          const S d = z[j] - S(targets[s * z.size() + j]);
          square += d * d;
        }
        total += square / S(static_cast<double>(z.size()));
      }
    }
    return total / S(static_cast<double>(samples));
  }

  // ∂loss/∂(one parameter), element by element in forward mode.
  Numbers gradient(const Weights<double>& w, const std::string& parameter, const Numbers& inputs,
                   const Numbers& targets, std::size_t samples) const {
    Weights<Dual> dual;
    for (const auto& [name, values] : w) dual[name] = {values.begin(), values.end()};
    Numbers out;
    for (Dual& x : dual.at(parameter)) {
      x.slope = 1;
      out.push_back(loss(dual, inputs, targets, samples).slope);
      x.slope = 0;
    }
    return out;
  }
};

} // namespace polarscope::test
