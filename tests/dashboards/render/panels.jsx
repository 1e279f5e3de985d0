// Renders a dashboard with Grafana's published components (@grafana/ui): panel frames, single
// values, bar gauges, time series, tables. The components for state timelines and heat maps are
// not published; the page contains drawings by draw.py instead.
//
// The page defines `window.BOARD`: {theme, board, results: {panel id: [[series]]}, drawn, from, to}.

import "uplot/dist/uPlot.min.css";

import React from "react";
import { createRoot } from "react-dom/client";
import {
  EventBusSrv, FieldType, applyFieldOverrides, cacheFieldDisplayNames, createTheme, dateTime, getDisplayProcessor,
  getFieldDisplayName, getFieldDisplayValues, standardFieldConfigEditorRegistry,
  standardTransformers, standardTransformersRegistry, toDataFrame, transformDataFrame,
  identityOverrideProcessor,
} from "@grafana/data";
import {
  BarGauge, BigValue, GlobalStyles, PanelChrome, PanelContextProvider, ThemeContext,
  TimeSeries,
} from "@grafana/ui";
// The table component of Grafana 12 and newer.
import { TableNG } from "@grafana/ui/unstable";

const { theme: mode, board, results, drawn, from, to } = window.BOARD;
const theme = createTheme({ colors: { mode } });
const CELL = 38;
const UNIT = 58;

// The field options that are applied here; editors are not needed for rendering.
const option = (id, path = id) => ({
  id, path, name: id, editor: () => null, override: () => null, settings: {},
  process: identityOverrideProcessor, shouldApply: () => true, getItemsCount: () => 0,
});
const STANDARD = ["unit", "min", "max", "decimals", "displayName", "noValue", "color", "thresholds",
  "mappings", "links"];
const CUSTOM = ["width", "hidden", "cellOptions", "drawStyle", "lineWidth", "fillOpacity",
  "showPoints", "spanNulls", "stacking", "axisSoftMax"];
standardFieldConfigEditorRegistry.setInit(() => STANDARD.map((id) => option(id)));
const OPTIONS = [
  ...STANDARD.map((id) => option(id)),
  ...CUSTOM.map((name) => ({ ...option(`custom.${name}`, name), isCustom: true })),
];
const registry = {
  list: () => OPTIONS,
  getIfExists: (id) => OPTIONS.find((one) => one.id === id),
  get: (id) => OPTIONS.find((one) => one.id === id),
};
standardTransformersRegistry.setInit(() => [
  standardTransformers.mergeTransformer, standardTransformers.organizeFieldsTransformer,
  standardTransformers.orderFieldsTransformer, standardTransformers.renameFieldsTransformer,
  standardTransformers.filterFieldsByNameTransformer,
].map((one) => ({ id: one.id, name: one.name, transformation: () => Promise.resolve(one) })));

function named(target, labels) {
  if (!target.legendFormat || target.legendFormat === "__auto") return undefined;
  return target.legendFormat.replace(/\{\{(\w+)\}\}/g, (_, name) => labels[name] ?? "");
}

function frames(panel) {
  return panel.targets.flatMap((target, index) => {
    const found = results[panel.id][index];
    if (target.format === "table") {
      const labels = [...new Set(found.flatMap((one) => Object.keys(one.metric)))];
      return [toDataFrame({ refId: target.refId, fields: [
        { name: "Time", type: FieldType.time, values: found.map((one) => one.value[0] * 1000) },
        ...labels.map((name) => ({
          name, type: FieldType.string, values: found.map((one) => one.metric[name] ?? ""),
        })),
        { name: `Value #${target.refId}`, type: FieldType.number,
          values: found.map((one) => Number(one.value[1])) },
      ] })];
    }
    return found.map((one) => {
      const points = one.values ?? [one.value];
      return toDataFrame({ refId: target.refId, fields: [
        { name: "Time", type: FieldType.time, values: points.map(([at]) => at * 1000) },
        { name: "Value", type: FieldType.number, labels: one.metric,
          values: points.map(([, value]) => Number(value)),
          config: { displayNameFromDS: named(target, one.metric) } },
      ] });
    });
  });
}

const plain = (text) => text;

// Grafana's defaults for options that a panel does not set.
function withDefaults({ type, fieldConfig }) {
  const mode = type === "timeseries" ? "palette-classic" : "thresholds";
  return { ...fieldConfig, defaults: { color: { mode }, ...fieldConfig.defaults } };
}

function settled(panel, data) {
  return applyFieldOverrides({
    data, fieldConfig: withDefaults(panel), replaceVariables: plain, theme,
    timeZone: "utc", fieldConfigRegistry: registry,
  });
}

function values(panel, data) {
  return getFieldDisplayValues({
    fieldConfig: withDefaults(panel), reduceOptions: panel.options.reduceOptions,
    replaceVariables: plain, theme, data, timeZone: "utc",
  });
}

function Stat({ panel, data, width, height }) {
  const [first] = values(panel, data);
  return <BigValue value={first.display} width={width} height={height} theme={theme}
    colorMode={panel.options.colorMode} graphMode="none" justifyMode="center"
    textMode={panel.options.textMode ?? "auto"} />;
}

function Bars({ panel, data, width, height }) {
  const all = values(panel, data);
  const each = Math.min(40, height / all.length);
  const widest = Math.max(...all.map((one) => (one.display.title ?? "").length));
  return all.map((one, index) => (
    <div key={index} style={{ height: each }}>
      <BarGauge value={one.display} field={one.field} width={width} height={each - 4} theme={theme}
        orientation="horizontal" displayMode="basic" showUnfilled={false} valueDisplayMode="text"
        namePlacement={panel.options.namePlacement}
        display={one.view.getFieldDisplayProcessor(one.colIndex)}
        alignmentFactors={{ title: "M".repeat(Math.ceil(widest * 0.6)), text: "00.00 weeks" }} />
    </div>
  ));
}

function Lines({ data, width, height }) {
  const range = { from: dateTime(from), to: dateTime(to), raw: { from, to } };
  return <PanelContextProvider value={{ eventsScope: "drawn", eventBus: new EventBusSrv(), sync: () => 0 }}>
    <TimeSeries frames={data} structureRev={1} timeRange={range} timeZone="utc" width={width}
      height={height} legend={{ displayMode: "list", placement: "bottom", showLegend: true, calcs: [] }} />
  </PanelContextProvider>;
}

function Rows({ panel, data, width, height }) {
  const [frame, setFrame] = React.useState();
  React.useEffect(() => {
    const watched = transformDataFrame(panel.transformations, data);
    const subscription = watched.subscribe((found) => {
      const frames = settled(panel, found);
      cacheFieldDisplayNames(frames);
      setFrame(frames[0]);
    });
    return () => subscription.unsubscribe();
  }, []);
  if (!frame) return null;
  return <TableNG data={frame} width={width} height={height} cellHeight="sm" timeZone="utc"
    fieldConfig={panel.fieldConfig} initialSortBy={panel.options.sortBy} structureRev={1} />;
}

const KINDS = { stat: Stat, bargauge: Bars, timeseries: Lines, table: Rows };

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * UNIT - 8, h * CELL - 8];
  const Kind = KINDS[panel.type];
  const raw = frames(panel);
  const data = panel.type === "table" ? raw : settled(panel, raw);
  return <div style={{ position: "absolute", left: x * UNIT, top: y * CELL, width, height }}>
    <PanelChrome title={panel.title} width={width} height={height}>
      {(w, h) => {
        if (!Kind) return <div dangerouslySetInnerHTML={{ __html: drawn[panel.id] }} />;
        if (!raw.length && panel.type !== "stat") return <div style={{ padding: 40, textAlign: "center" }}>No data</div>;
        return <Kind panel={panel} data={data} width={w} height={h} />;
      }}
    </PanelChrome>
  </div>;
}

class Guard extends React.Component {
  state = {};
  static getDerivedStateFromError(error) { return { error }; }
  render() { return this.state.error ? <pre>{String(this.state.error.stack)}</pre> : this.props.children; }
}

function Board() {
  const panels = board.panels.filter((one) => one.type !== "row");
  const bottom = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  return <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <h3 style={{ padding: "8px 0" }}>{board.title}</h3>
    <div style={{ position: "relative", height: bottom * CELL }}>
      {panels.map((panel) => <Guard key={panel.id}><Panel panel={panel} /></Guard>)}
    </div>
  </ThemeContext.Provider>;
}

createRoot(document.getElementById("board")).render(<Board />);
