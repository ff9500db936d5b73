// When tiles begin, and which banks the feeder reads.

#ifndef SHIFTLOOM_CYCLE_MAC_ENGINE_H
#define SHIFTLOOM_CYCLE_MAC_ENGINE_H

#include "activation_buffer.h"

namespace shiftloom {

// When the operands of a job are issued: of each tile, and the rest without a gap; each operand
// where tiles have gaps.
struct Tiles {
    std::vector<Time> starts;
    int64_t pixels;
    Time last_load;
    std::vector<Time> issues;

    Time issue(int64_t tile, int64_t pixel) const {
        return issues.empty() ? starts[tile] + pixel : issues[tile * pixels + pixel];
    }

    Time last() const { return issue(starts.size() - 1, pixels - 1); }

    // The operand before, if there is one.
    Time before_last() const {
        const int64_t tile = starts.size() - 1;
        return pixels > 1 ? issue(tile, pixels - 2) : issue(tile - 1, 0);
    }
};

// Count and stride of each loop of the feeder, the outermost first.
struct Axis {
    int64_t count, stride;
};

// What one MAC job reads.
class FeederReads : public Uses {
  public:
    FeederReads(const Config& config, Tiles tiles, const std::vector<Axis>& axes, int64_t addr,
                std::pair<Time, int64_t> before)
        : config_(config), tiles_(std::move(tiles)), axes_(axes), addr_(addr), before_(before),
          begin_(tiles_.starts.front() + FEEDER_READ), end_(tiles_.last() + FEEDER_READ) {}

    Time begin() override { return begin_; }
    Time end() override { return end_; }

    void write(Taken& taken) override {
        begin_ = end_ + 1;
        taken.reach(end_);
        Place last{before_.second, config_};
        Time issued = before_.first;
        for (int64_t tile = 0; tile < static_cast<int64_t>(tiles_.starts.size()); ++tile) {
            const int64_t start = addr_ + offset(tile);
            for (int64_t row = 0, pixel = 0; row < axes_[4].count; ++row) {
                int64_t addr = start + row * axes_[4].stride;
                for (int64_t k = 0; k < axes_[5].count; ++k, ++pixel, addr += axes_[5].stride) {
                    const Time time = tiles_.issue(tile, pixel);
                    const Place place{addr & config_.address_mask, config_};
                    const bool same = time - issued == 1 && place.word == last.word;
                    if (!same || (place.wide && !last.wide)) {
                        taken[time + FEEDER_READ] |= place.banks(config_);
                    }
                    issued = time, last = place;
                }
            }
        }
    }

  private:
    // The word of an operand, and whether it goes on in the next one.
    struct Place {
        Place(int64_t addr, const Config& config)
            : word(addr >> config.word_shift),
              wide((addr & (config.word_bytes - 1)) > config.word_bytes - config.rows) {}

        uint8_t banks(const Config& config) const {
            const int64_t mask = config.banks - 1;
            return 1 << (word & mask) | (wide ? 1 << ((word + 1) & mask) : 0);
        }

        int64_t word;
        bool wide;
    };

    int64_t offset(int64_t tile) const {
        int64_t found = 0;
        for (int k = 3; k >= 0; --k) {
            found += tile % axes_[k].count * axes_[k].stride;
            tile /= axes_[k].count;
        }
        return found;
    }

    const Config& config_;
    const Tiles tiles_;
    const std::vector<Axis> axes_;
    const int64_t addr_;
    const std::pair<Time, int64_t> before_;
    Time begin_, end_;
};

// Carries out MAC jobs; nothing but their own order makes them wait.
class MacEngine {
  public:
    MacEngine(const Config& config, ActivationBuffer& buffer) : config_(config), buffer_(buffer) {}

    // Take a job in a cycle, and return the cycle of its completion.
    Time start(Time time, Instruction loops, Instruction work) {
        const int64_t columns = loops[MAC_LOOPS_columns];
        const std::vector<Axis> axes = {
            {loops[MAC_LOOPS_blocks], loops[MAC_LOOPS_block_stride]},
            {loops[MAC_LOOPS_groups], config_.rows},
            {loops[MAC_LOOPS_kernel_rows], loops[MAC_LOOPS_kernel_row_stride]},
            {loops[MAC_LOOPS_kernel_columns], loops[MAC_LOOPS_kernel_column_stride]},
            {work[MAC_rows], loops[MAC_LOOPS_row_stride]},
            {columns, loops[MAC_LOOPS_column_stride]},
        };
        Size size{1, loops[MAC_LOOPS_bitwise] ? config_.columns : config_.rows,
                  work[MAC_rows] * columns};
        for (int k = 0; k < 4; ++k) size.tiles *= axes[k].count;
        const Time offered = time + MAC_OFFER;
        const Time load = std::max({swapped_ + MAC_PENDING, load_ends_, offered});
        const Time fed = std::max(offered, entered_ + config_.operand_check);
        free = std::max(load, fed) + REGISTER;
        const Time entered = std::max(fed + REGISTER, issued_);
        const Time begin = std::max(entered + REGISTER * config_.operand_check, load + MAC_PENDING);
        Tiles tiles = plan(begin, load, size, work);
        load_ends_ = tiles.last_load + size.words;
        entered_ = tiles.last();
        if (config_.operand_check) {  // an operand, while the one before it is issued
            entered_ = size.tiles * size.pixels == 1 ? entered : tiles.before_last();
        }
        note(std::move(tiles), size, axes, work);
        return issued_ + config_.mac_done;
    }

    Time free = 0;
    int64_t active = 0;
    std::vector<Time> begins, stalls;

  private:
    struct Operation {
        Time time;
        int64_t half, pixel;
    };

    struct Size {
        int64_t tiles, words, pixels;
    };

    Tiles plan(Time begin, Time load, Size size, Instruction work) const {
        Time first = begin;
        if (gap(begin, std::min(size.pixels, config_.accumulator_distance - 1), work, first)) {
            return walk(begin, load, size, work);
        }
        const int64_t tiles = size.tiles, step = std::max(size.pixels, config_.accumulator_distance);
        std::vector<Time> starts(tiles);
        for (int64_t k = 0; k < tiles; ++k) starts[k] = first + step * k;
        Time last = load;
        if (step >= size.words) {
            if (tiles > 1) {
                last = std::max(starts[tiles - 2] + MAC_PENDING, load + (tiles - 1) * size.words);
            }
            return {std::move(starts), size.pixels, last, {}};
        }
        const Time second = std::max(first + MAC_PENDING, load + size.words);
        for (int64_t k = 0; k < tiles; ++k) {
            last = k ? second + size.words * (k - 1) : load;
            starts[k] = std::max(starts[k], last + MAC_PENDING);
        }
        return {std::move(starts), size.pixels, last, {}};
    }

    // Find a job's first operand; return whether earlier jobs delay the next ones further.
    bool gap(Time begin, int64_t count, Instruction work, Time& first) const {
        const bool accumulate = work[MAC_accumulate];
        Time time = begin;
        for (int64_t k = 0; k < count; ++k) {
            if (accumulate) {
                time = std::max(time, settled(work[MAC_half], work[MAC_pixel] + k, recent_));
            }
            if (!k) first = time;
            ++time;
        }
        return time != first + count;
    }

    Time settled(int64_t half, int64_t pixel, const std::vector<Operation>& recent) const {
        Time last = NO_TIME;
        for (const Operation& o : recent) {
            if (o.pixel == pixel && o.half == half) last = std::max(last, o.time);
        }
        return last + config_.accumulator_distance;
    }

    // Find each operand's cycle, one after the other; all of them accumulate.
    Tiles walk(Time begin, Time load, Size size, Instruction work) const {
        std::vector<Operation> recent = recent_;
        Tiles found{std::vector<Time>(size.tiles), size.pixels, load, {}};
        found.issues.reserve(size.tiles * size.pixels);
        Time time = begin;
        for (int64_t tile = 0; tile < size.tiles; ++tile) {
            if (tile) {
                load = std::max(found.starts[tile - 1] + MAC_PENDING, load + size.words);
                time = std::max(time, load + MAC_PENDING);
            }
            for (int64_t k = 0; k < size.pixels; ++k, ++time) {
                const int64_t half = work[MAC_half], pixel = work[MAC_pixel] + k;
                time = std::max(time, settled(half, pixel, recent));
                if (!k) found.starts[tile] = time;
                found.issues.push_back(time);
                remember(recent, {time, half, pixel});
            }
        }
        found.last_load = load;
        return found;
    }

    void remember(std::vector<Operation>& recent, Operation operation) const {
        recent.push_back(operation);
        if (static_cast<int64_t>(recent.size()) >= config_.accumulator_distance) recent.erase(recent.begin());
    }

    // Remember what matters to the jobs that follow, and what is read.
    void note(Tiles tiles, Size size, const std::vector<Axis>& axes, Instruction work) {
        const int64_t operands = size.tiles * size.pixels;
        issued_ = tiles.last(), swapped_ = tiles.starts.back();
        begins.push_back(tiles.starts.front());
        stalls.push_back(issued_ + 1 - begins.back() - operands);
        active += operands;
        for (int64_t back = std::min(operands, config_.accumulator_distance - 1) - 1; back >= 0; --back) {
            const int64_t number = operands - 1 - back, pixel = number % size.pixels;
            const Time time = tiles.issue(number / size.pixels, pixel);
            remember(recent_, {time, work[MAC_half], work[MAC_pixel] + pixel});
        }
        const auto before = operand_;
        int64_t reach = work[MAC_addr];
        for (const Axis& axis : axes) reach += (axis.count - 1) * axis.stride;
        operand_ = {issued_, reach & config_.address_mask};
        buffer_.reads.expect(std::make_shared<FeederReads>(
            config_, std::move(tiles), axes, work[MAC_addr], before));
    }

    const Config& config_;
    ActivationBuffer& buffer_;
    Time entered_ = NO_TIME, issued_ = NO_TIME, load_ends_ = NO_TIME, swapped_ = NO_TIME;
    std::vector<Operation> recent_;
    std::pair<Time, int64_t> operand_{NO_TIME, 0};
};

}  // namespace shiftloom

#endif
