#include "app/theme.hpp"

#include "app/fonts_data.hpp"
#include "engine/embedded.hpp"

#include "implot.h"
#include "misc/freetype/imgui_freetype.h"

#include <algorithm>
#include <cassert>
#include <cctype>
#include <cmath>

namespace polarscope {
namespace {

constexpr std::array<std::string_view, 3> kThemeWords{"dark", "light", "projector"};
constexpr float kProjectorType = 18.0f / 13.0f;
constexpr float kProjectorStroke = 1.6f;
constexpr float kLetterSpacing = 0.08f; // em, of section titles

constexpr std::array<float, 2> kDashB{9, 5}, kDashC{2, 4}, kDashE{5, 3}, kDashF{14, 4}, kDashH{1.5f, 5};
constexpr std::array<float, 4> kDashD{10, 4, 2, 4}, kDashG{2, 3, 8, 3};
constexpr std::array<std::span<const float>, kRunStyles> kDashes{
    std::span<const float>{}, kDashB, kDashC, kDashD, kDashE, kDashF, kDashG, kDashH};

ImFont* add_font(std::string_view name, ImFont* merge_into) {
  const EmbeddedFile file = embedded_font(name);
  assert(file && "the build embeds every font");
  ImFontConfig config;
  config.FontDataOwnedByAtlas = false;
  config.MergeMode = merge_into != nullptr;
  config.DstFont = merge_into;
  config.FontLoaderFlags = ImGuiFreeTypeLoaderFlags_LightHinting;
  // ImGui's signature is not const, but data that it does not own it only reads.
  return ImGui::GetIO().Fonts->AddFontFromMemoryTTF(const_cast<unsigned char*>(file.data), static_cast<int>(file.size),
                                                    13.0f, &config);
}

ImVec4 vec4(ImU32 colour) { return ImGui::ColorConvertU32ToFloat4(colour); }

} // namespace

std::string_view theme_word(ThemeName name) { return kThemeWords[static_cast<std::size_t>(name)]; }

std::optional<ThemeName> find_theme(std::string_view word) {
  for (std::size_t i = 0; i < kThemeWords.size(); ++i)
    if (kThemeWords[i] == word) return static_cast<ThemeName>(i);
  return std::nullopt;
}

Fonts load_fonts() {
  Fonts fonts;
  const auto face = [](std::string_view name) {
    ImFont* font = add_font(name, nullptr);
    add_font("DejaVuSans", font);
    return font;
  };
  fonts.regular = face("Inter-Regular");
  fonts.medium = face("Inter-Medium");
  fonts.semibold = face("Inter-SemiBold");
  fonts.mono = face("JetBrainsMono-Regular");
  return fonts;
}

Result<Theme> Theme::make(ThemeName name, float ui_scale, const Fonts& fonts) {
  constexpr std::string_view kFile = "assets/palettes.toml";
  const EmbeddedFile file = embedded_file(kFile);
  assert(file && "the build embeds every asset");
  auto palette = read_palette(file.text(), kFile, name == ThemeName::dark ? "dark" : "light");
  if (!palette) return palette.error();
  Theme theme;
  theme.name_ = name;
  theme.palette_ = *palette;
  theme.fonts_ = fonts;
  theme.ui_scale_ = std::clamp(ui_scale, kLeastScale, kMostScale);
  theme.size_scale_ = theme.ui_scale_ * (theme.projector() ? kProjectorType : 1);
  theme.stroke_scale_ = theme.ui_scale_ * (theme.projector() ? kProjectorStroke : 1);
  return theme;
}

float Theme::snap(float design) const { return std::round(px(design)); }
float Theme::hairline() const { return std::max(1.0f, std::floor(ui_scale_ + 0.25f)); }
float Theme::curve_width(bool selected) const {
  if (projector()) return ui_scale_ * (selected ? 3.8f : 3.4f);
  return ui_scale_ * (selected ? 2.2f : 1.7f);
}
float Theme::marker_radius(bool selected) const {
  if (projector()) return ui_scale_ * (selected ? 8.0f : 7.0f);
  return ui_scale_ * (selected ? 6.2f : 5.2f);
}

ImFont* Theme::font(Face face) const {
  switch (face) {
  case Face::regular: return fonts_.regular;
  case Face::medium: return fonts_.medium;
  case Face::semibold: return fonts_.semibold;
  case Face::mono: break;
  }
  return fonts_.mono;
}

float Theme::font_size(TextStyle style) const { return std::round(px(style.size)); }

RunStyle Theme::run(int style) const {
  const auto i = static_cast<std::size_t>(((style % kRunStyles) + kRunStyles) % kRunStyles);
  return {palette_.runs[i], static_cast<Marker>(i), kDashes[i]};
}

void Theme::apply() const {
  apply_imgui();
  apply_implot();
}

void Theme::apply_imgui() const {
  ImGuiStyle style;
  style.WindowPadding = {px(12), px(8)};
  style.FramePadding = {px(8), px(5)};
  style.ItemSpacing = {px(8), px(4)};
  style.ItemInnerSpacing = {px(6), px(4)};
  style.CellPadding = {px(6), px(4)};
  style.WindowRounding = 0;
  style.ChildRounding = 0;
  style.PopupRounding = px(6);
  style.FrameRounding = px(6);
  style.GrabRounding = px(4);
  style.TabRounding = px(4);
  style.ScrollbarRounding = px(4);
  style.ScrollbarSize = px(10);
  style.ScrollbarPadding = px(2);
  style.GrabMinSize = px(14);
  style.IndentSpacing = px(16);
  style.WindowBorderSize = 0;
  style.ChildBorderSize = 0;
  style.PopupBorderSize = hairline();
  style.FrameBorderSize = hairline();
  style.TabBorderSize = 0;
  style.TabBarBorderSize = 0;
  style.TabBarOverlineSize = 0;
  style.DockingSeparatorSize = hairline();
  style.SeparatorSize = hairline();
  style.WindowMinSize = {px(64), px(32)};
  style.WindowMenuButtonPosition = ImGuiDir_None;
  style.CircleTessellationMaxError = 0.15f;
  style.FontSizeBase = font_size(text::kBody);
  style.HoverStationaryDelay = 0.15f;

  const Palette& c = palette_;
  const auto set = [&](ImGuiCol which, ImU32 colour) { style.Colors[which] = vec4(colour); };
  for (int i = 0; i < ImGuiCol_COUNT; ++i) set(i, c.panel);
  set(ImGuiCol_Text, c.text);
  set(ImGuiCol_TextDisabled, c.text3);
  set(ImGuiCol_TextLink, c.text);
  set(ImGuiCol_PopupBg, c.input);
  set(ImGuiCol_Border, c.frame);
  set(ImGuiCol_BorderShadow, with_alpha(c.panel, 0));
  for (int i : {ImGuiCol_FrameBg, ImGuiCol_Button, ImGuiCol_TableHeaderBg, ImGuiCol_CheckboxSelectedBg})
    set(i, c.input);
  for (int i : {ImGuiCol_FrameBgHovered, ImGuiCol_ButtonHovered, ImGuiCol_Header, ImGuiCol_HeaderHovered,
                ImGuiCol_TabHovered, ImGuiCol_ScrollbarGrab})
    set(i, c.hover);
  for (int i : {ImGuiCol_FrameBgActive, ImGuiCol_ButtonActive, ImGuiCol_HeaderActive, ImGuiCol_ScrollbarGrabHovered,
                ImGuiCol_ScrollbarGrabActive})
    set(i, c.dark ? c.on : c.frame);
  for (int i : {ImGuiCol_TitleBg, ImGuiCol_TitleBgActive, ImGuiCol_TitleBgCollapsed, ImGuiCol_MenuBarBg, ImGuiCol_Tab,
                ImGuiCol_TabDimmed, ImGuiCol_DockingEmptyBg})
    set(i, c.bar);
  for (int i : {ImGuiCol_TabSelected, ImGuiCol_TabDimmedSelected}) set(i, c.panel);
  for (int i : {ImGuiCol_Separator, ImGuiCol_TableBorderStrong, ImGuiCol_TableBorderLight, ImGuiCol_TreeLines})
    set(i, c.line);
  for (int i : {ImGuiCol_SeparatorHovered, ImGuiCol_SeparatorActive, ImGuiCol_ResizeGrip, ImGuiCol_ResizeGripHovered,
                ImGuiCol_ResizeGripActive})
    set(i, c.frame);
  for (int i : {ImGuiCol_CheckMark, ImGuiCol_SliderGrab, ImGuiCol_SliderGrabActive, ImGuiCol_InputTextCursor,
                ImGuiCol_PlotLines, ImGuiCol_PlotLinesHovered, ImGuiCol_PlotHistogram, ImGuiCol_PlotHistogramHovered,
                ImGuiCol_NavCursor, ImGuiCol_NavWindowingHighlight, ImGuiCol_DragDropTarget, ImGuiCol_UnsavedMarker})
    set(i, c.text);
  for (int i : {ImGuiCol_TabSelectedOverline, ImGuiCol_TabDimmedSelectedOverline, ImGuiCol_ScrollbarBg,
                ImGuiCol_TableRowBg, ImGuiCol_TableRowBgAlt})
    set(i, with_alpha(c.panel, 0));
  set(ImGuiCol_TextSelectedBg, c.dark ? c.on : c.frame);
  set(ImGuiCol_DockingPreview, with_alpha(c.text, 0.2f));
  set(ImGuiCol_DragDropTargetBg, with_alpha(c.text, 0.08f));
  set(ImGuiCol_NavWindowingDimBg, with_alpha(c.bar, 0.4f));
  set(ImGuiCol_ModalWindowDimBg, with_alpha(c.bar, 0.6f));
  ImGui::GetStyle() = style;
}

void Theme::apply_implot() const {
  ImPlotStyle style;
  style.PlotBorderSize = 0;
  style.MajorTickLen = style.MinorTickLen = {0, 0};
  style.MajorTickSize = style.MinorTickSize = {0, 0};
  style.MajorGridSize = style.MinorGridSize = {hairline(), hairline()};
  style.MinorAlpha = 1; // ticks set by hand count as minor
  style.PlotPadding = {0, 0};
  style.LabelPadding = {px(6), px(4)};
  style.PlotMinSize = {px(40), px(30)};
  style.FitPadding = {0, 0};
  ImPlot::GetStyle() = style;
}

void Theme::begin_frame() const {
  for (ImFont* font : {fonts_.regular, fonts_.medium, fonts_.semibold, fonts_.mono}) {
    ImGui::PushFont(font, font_size(text::kBody));
    ImGui::PopFont();
  }
}

ImVec2 measure(const Theme& theme, TextStyle style, std::string_view words) {
  if (words.empty()) words = ""; // ImGui measures up to the terminator when the pointer is null
  return theme.font(style.face)
      ->CalcTextSizeA(theme.font_size(style), FLT_MAX, 0.0f, words.data(), words.data() + words.size());
}

void draw_text(ImDrawList* list, const Theme& theme, TextStyle style, ImVec2 at, ImU32 colour, std::string_view words) {
  if (words.empty()) return;
  list->AddText(theme.font(style.face), theme.font_size(style), {std::round(at.x), std::round(at.y)}, colour,
                words.data(), words.data() + words.size());
}

void draw_text_aligned(ImDrawList* list, const Theme& theme, TextStyle style, ImVec2 at, ImU32 colour,
                       std::string_view words, float x_align, float y_align) {
  const ImVec2 size = measure(theme, style, words);
  draw_text(list, theme, style, {at.x - x_align * size.x, at.y - y_align * size.y}, colour, words);
}

float measure_capitals(const Theme& theme, TextStyle style, std::string_view words) {
  float width = 0;
  for (char letter : words) {
    const char upper = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    width += measure(theme, style, {&upper, 1}).x + kLetterSpacing * theme.font_size(style);
  }
  return width;
}

void draw_capitals(ImDrawList* list, const Theme& theme, TextStyle style, ImVec2 at, ImU32 colour,
                   std::string_view words) {
  for (char letter : words) {
    const char upper = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    list->AddText(theme.font(style.face), theme.font_size(style), {at.x, std::round(at.y)}, colour, &upper, &upper + 1);
    at.x += measure(theme, style, {&upper, 1}).x + kLetterSpacing * theme.font_size(style);
  }
}

std::string fit(const Theme& theme, TextStyle style, std::string_view words, float width) {
  if (measure(theme, style, words).x <= width) return std::string(words);
  static constexpr std::string_view kEllipsis = "…";
  std::string cut(words);
  while (!cut.empty()) {
    for (bool inside = true; inside && !cut.empty(); cut.pop_back()) // one whole UTF-8 character
      inside = (static_cast<unsigned char>(cut.back()) & 0xC0) == 0x80;
    if (measure(theme, style, cut + std::string(kEllipsis)).x <= width) return cut + std::string(kEllipsis);
  }
  return {};
}

} // namespace polarscope
