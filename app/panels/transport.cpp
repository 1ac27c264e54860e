// The transport strip: restart, step back, play, step, the counter, the speed, what edits apply to, the layout.
#include "app/format.hpp"
#include "app/panels/tools.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace polarscope {
namespace {

constexpr float kRow = 44, kGap = 6, kGroupGap = 18;

// Places controls from left to right and breaks the line where the next would not fit.
class Flow {
public:
  explicit Flow(const Theme& theme)
      : theme_(theme), left_(ImGui::GetCursorScreenPos().x + theme.snap(12)), top_(ImGui::GetCursorScreenPos().y),
        right_(ImGui::GetWindowPos().x + ImGui::GetWindowWidth() - theme.snap(12)), x_(left_) {}

  // Room for `width` × `height` design px; moves ImGui's cursor there, centred in the row.
  void place(float width, float height) { place_pixels(theme_.px(width), theme_.px(height)); }
  void place_pixels(float width, float height) {
    if (x_ > left_ && x_ + width > right_) newline();
    ImGui::SetCursorScreenPos({std::round(x_), std::round(top_ + (theme_.snap(kRow) - height) * 0.5f)});
  }
  void after(float gap) { x_ = ImGui::GetItemRectMax().x + theme_.px(gap); }
  void advance(float width, float gap) { x_ += width + theme_.px(gap); }
  // Right-aligned in this row when there is room, else on the next.
  void place_right(float width, float height) { place_right_pixels(theme_.px(width), theme_.px(height)); }
  void place_right_pixels(float width, float height) {
    if (x_ + width > right_) newline();
    if (right_ - width > x_) x_ = right_ - width;
    place_pixels(width, height);
  }
  float room() const { return right_ - x_; } // left in this row
  void newline() {
    top_ += theme_.snap(kRow);
    x_ = left_;
  }
  float middle() const { return top_ + std::round(theme_.snap(kRow) * 0.5f); }
  float x() const { return x_; }
  void finish() {
    ImGui::SetCursorScreenPos({left_, top_ + theme_.snap(kRow)});
    ImGui::Dummy({0, 0});
  }

private:
  const Theme& theme_;
  float left_, top_, right_, x_;
};

void draw_play(const PanelContext& c, Flow& flow, float width) {
  flow.place(width, 28);
  ButtonOptions options;
  options.icon = c.frame.playing ? Icon::pause : Icon::play;
  options.primary = true;
  options.width = width;
  action_button(c, "time.play", c.frame.playing ? "Pause###play" : "Play###play", options);
  flow.after(kGap);
}

void draw_icon_action(const PanelContext& c, Flow& flow, const char* action, Icon icon) {
  flow.place(30, 28);
  ButtonOptions options;
  options.icon = icon;
  options.width = 30;
  action_button(c, action, fmt::format("##{}", action).c_str(), options);
  flow.after(kGap);
}

void draw_text_in(const PanelContext& c, Flow& flow, TextStyle style, ImU32 colour, const std::string& words,
                  float width, float gap) {
  const float room = width > 0 ? c.theme.px(width) : measure(c.theme, style, words).x;
  flow.place_pixels(room, c.theme.px(28));
  draw_text_aligned(ImGui::GetWindowDrawList(), c.theme, style, {flow.x(), flow.middle()}, colour, words, 0, 0.5f);
  flow.advance(room, gap);
}

void draw_counter(const PanelContext& c, Flow& flow) {
  const Palette& colour = c.theme.colour();
  const std::string now = format_count(c.frame.cursor), all = " / " + format_count(c.frame.steps);
  const float first = measure(c.theme, text::kCounter, now).x;
  const float widest = measure(c.theme, text::kCounter, format_count(c.frame.steps)).x;
  const float width = widest + measure(c.theme, text::kValue, all).x;
  flow.advance(0, 6);
  flow.place_pixels(width, c.theme.px(28));
  ImDrawList* list = ImGui::GetWindowDrawList();
  draw_text_aligned(list, c.theme, text::kCounter, {flow.x() + widest - first, flow.middle()}, colour.text, now, 0,
                    0.5f);
  draw_text_aligned(list, c.theme, text::kValue, {flow.x() + widest, flow.middle()}, colour.text3, all, 0, 0.5f);
  flow.advance(width, kGroupGap);
}

void draw_speed(const PanelContext& c, Flow& flow) {
  flow.place(214, 32);
  double speed = c.frame.speed > 0 ? c.frame.speed : speed_steps().back();
  SliderSpec spec{"speed", speed_steps().front(), speed_steps().back()};
  spec.log = true;
  spec.label_width = 46;
  spec.field_width = 58;
  spec.default_mark = c.frame.scene->speed > 0 ? std::optional<double>(c.frame.scene->speed) : std::nullopt;
  spec.help = "Steps per second while playing.";
  const SliderResult result = slider(c.theme, spec, &speed, c.theme.px(214));
  if (!result.refused.empty()) c.view.say("speed " + result.refused, true);
  if (result.changed) c.send(command::SetSpeed{speed < 10 ? std::round(speed * 10) / 10 : std::round(speed)});
  flow.after(kGap);
  flow.place(46, 24);
  bool fastest = !(c.frame.speed > 0);
  if (toggle(c.theme, "max", &fastest, "As fast as possible")) {
    ActionContext context = c.action();
    c.actions.invoke("time.as_fast", context);
  }
  flow.after(kGap);
  const std::string achieved = c.frame.playing && c.frame.achieved_speed > 0
                                   ? format_value(c.frame.achieved_speed, 3) + " steps/s"
                                   : std::string("steps/s");
  draw_text_in(c, flow, text::kLabel, c.theme.colour().text3, achieved, 84, 4);
}

void draw_edit_mode(const PanelContext& c, Flow& flow) {
  static constexpr std::array kWords = {"from here", "from step 0"};
  const float label_width = measure(c.theme, text::kLabel, "edits apply").x + c.theme.px(8);
  flow.place_pixels(label_width + c.theme.px(190), c.theme.px(26)); // label and switch stay together
  draw_text_in(c, flow, text::kLabel, c.theme.colour().text2, "edits apply", 0, 8);
  flow.place(180, 26);
  int chosen = c.view.edit_mode == EditMode::from_here ? 0 : 1;
  if (segmented(c.theme, "edits", kWords, &chosen,
                "From here: acts from the next step.\nFrom step 0: the whole path is drawn again to the same step."))
    c.view.edit_mode = chosen == 0 ? EditMode::from_here : EditMode::from_start;
  ring_if_highlighted(c, "time.from_start");
  flow.after(kGroupGap);
}

void draw_layout_switch(const PanelContext& c, Flow& flow) {
  static constexpr std::array kWords = {"Study", "Show", "Bench"}; // as LayoutKind
  flow.place_right(168, 26);
  int chosen = static_cast<int>(c.view.layout);
  if (segmented(c.theme, "layout", kWords, &chosen,
                "Study: all panels (F2).\nShow: large type for a class (F3).\nBench: sweeps and comparisons (F4)."))
    c.view.layout = static_cast<LayoutKind>(chosen);
  flow.after(0);
}

// Title of the scene, play, step; nothing that the back row does not need. "Study" is the way back for the mouse.
void draw_show(const PanelContext& c) {
  const Theme& t = c.theme;
  Flow flow(t);
  const std::string step = format_count(c.frame.cursor);
  const float number =
      std::max(measure(t, text::kCounter, step).x, measure(t, text::kCounter, format_count(c.frame.steps)).x);
  const float word = measure(t, text::kShow, "step ").x;
  const float right = t.px(104 + 60 + 4 * kGap) + word + number;
  const std::string title =
      fit(t, text::kShowTitle, c.frame.scene->title, std::max(t.px(100), ImGui::GetWindowWidth() - right - t.px(36)));
  draw_text_in(c, flow, text::kShowTitle, t.colour().text, title, 0, 12);
  flow.place_right_pixels(right, t.px(28));
  draw_play(c, flow, 104);
  flow.advance(0, kGap);
  draw_text_in(c, flow, text::kShow, t.colour().text2, "step ", 0, 0);
  draw_text_in(c, flow, text::kCounter, t.colour().text, step, number / t.px(1), kGap);
  flow.place(60, 28);
  ButtonOptions options;
  options.width = 60;
  options.frameless = true;
  action_button(c, "view.study", "Study", options);
  flow.finish();
}

// One row: what does not fit in it is in the menus and on keys.
void draw_compact(const PanelContext& c) {
  Flow flow(c.theme);
  draw_icon_action(c, flow, "time.restart", Icon::restart);
  draw_icon_action(c, flow, "time.back", Icon::step_back);
  draw_play(c, flow, 84);
  draw_icon_action(c, flow, "time.forward", Icon::step_forward);
  draw_counter(c, flow);
  if (flow.room() > c.theme.px(270)) draw_edit_mode(c, flow);
  if (flow.room() > c.theme.px(168)) draw_layout_switch(c, flow);
  flow.finish();
}

} // namespace

void draw_transport(const PanelContext& c) {
  if (c.view.layout == LayoutKind::show) return draw_show(c);
  if (c.compact && !c.tabbed) return draw_compact(c);
  Flow flow(c.theme);
  draw_icon_action(c, flow, "time.restart", Icon::restart);
  draw_icon_action(c, flow, "time.back", Icon::step_back);
  draw_play(c, flow, 100);
  draw_icon_action(c, flow, "time.forward", Icon::step_forward);
  draw_counter(c, flow);
  draw_speed(c, flow);
  draw_edit_mode(c, flow);
  const float device =
      measure(c.theme, text::kLabel, "device").x + measure(c.theme, text::kButton, c.frame.device).x + c.theme.px(8);
  flow.place_pixels(device, c.theme.px(28)); // label and value stay together
  draw_text_in(c, flow, text::kLabel, c.theme.colour().text2, "device", 0, 8);
  draw_text_in(c, flow, text::kButton, c.theme.colour().text, c.frame.device, 0, kGroupGap);
  draw_layout_switch(c, flow);
  flow.finish();
}

std::string text_of_transport(const PanelContext& c) {
  return fmt::format("Step {} of {}, {} computed, {}.", c.frame.cursor, c.frame.steps, c.frame.head,
                     c.frame.playing ? "playing" : "paused");
}

} // namespace polarscope
