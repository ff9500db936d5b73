// When VECTOR jobs take pixels and words, and when they write.

#ifndef SHIFTLOOM_CYCLE_VECTOR_H
#define SHIFTLOOM_CYCLE_VECTOR_H

#include "activation_buffer.h"

namespace shiftloom {

// What a VECTOR job asks for, in order.
class VectorIssue {
  public:
    VectorIssue(const Config& config, Instruction loops, Instruction requantize, Instruction work)
        : from_words(loops[VECTOR_LOOPS_source] == SOURCE_ACTIVATION), loops_(loops),
          requantize_(requantize), work_(work), mask_(config.banks - 1), rows_(work[VECTOR_rows]),
          columns_(loops[VECTOR_LOOPS_columns]), first_(loops[VECTOR_LOOPS_emit_first]),
          period_(loops[VECTOR_LOOPS_emit_period]),
          residual_(requantize[VECTOR_REQUANTIZE_residual]) {
        if (from_words) {
            kernel_rows_ = loops[VECTOR_LOOPS_kernel_rows];
            kernel_columns_ = loops[VECTOR_LOOPS_kernel_columns];
        }
        const int64_t emitting = first_ < columns_ ? (columns_ - first_ - 1) / period_ + 1 : 0;
        results = rows_ * emitting;
        taken = rows_ * columns_ * kernel_rows_ * kernel_columns_;
        const int64_t residuals = residual_ ? results : 0;
        reads = from_words || residuals > 0;
        count = taken + (from_words ? residuals : 0);
    }

    // The bank, as one bit, that each step reads; 0 if none.
    std::vector<uint8_t> banks() const {
        std::vector<uint8_t> found;
        found.reserve(count);
        for (int64_t row = 0; row < rows_; ++row) {
            for (int64_t column = 0, result = 0; column < columns_; ++column) {
                if (from_words) add_inputs(row, column, found);
                const bool adds = residual_ && emits(column);
                if (adds || !from_words) found.push_back(adds ? residual(row, result++) : 0);
            }
        }
        return found;
    }

    // Which steps complete a result, and the bank that it goes to.
    void find_results(std::vector<int64_t>& steps, std::vector<uint8_t>& banks) const {
        const int64_t row_stride = loops_[VECTOR_LOOPS_write_row_stride];
        const int64_t stride = loops_[VECTOR_LOOPS_write_stride];
        const int64_t inputs = from_words ? kernel_rows_ * kernel_columns_ : 1;
        const int64_t start = work_[VECTOR_write_addr];
        steps.reserve(results), banks.reserve(results);
        int64_t step = -1;
        for (int64_t row = 0; row < rows_; ++row) {
            for (int64_t column = 0, result = 0; column < columns_; ++column) {
                step += inputs;
                if (!emits(column)) continue;
                step += from_words && residual_;
                steps.push_back(step);
                banks.push_back(bit(start + row * row_stride + result++ * stride));
            }
        }
    }

    const bool from_words;
    int64_t count, taken, results;
    bool reads;

  private:
    bool emits(int64_t column) const {
        return column >= first_ && (column - first_) % period_ == 0;
    }

    uint8_t bit(int64_t word) const { return 1 << (word & mask_); }

    uint8_t residual(int64_t row, int64_t result) const {
        return bit(work_[VECTOR_residual_addr] +
                   row * requantize_[VECTOR_REQUANTIZE_residual_row_stride] +
                   result * requantize_[VECTOR_REQUANTIZE_residual_stride]);
    }

    void add_inputs(int64_t row, int64_t column, std::vector<uint8_t>& found) const {
        const int64_t start = work_[VECTOR_addr] + row * loops_[VECTOR_LOOPS_row_stride] +
                              column * loops_[VECTOR_LOOPS_column_stride];
        const int64_t row_stride = loops_[VECTOR_LOOPS_kernel_row_stride];
        const int64_t stride = loops_[VECTOR_LOOPS_kernel_column_stride];
        for (int64_t y = 0; y < kernel_rows_; ++y) {
            for (int64_t x = 0; x < kernel_columns_; ++x) {
                found.push_back(bit(start + y * row_stride + x * stride));
            }
        }
    }

    const Instruction loops_, requantize_, work_;
    const int64_t mask_, rows_, columns_, first_, period_;
    const bool residual_;
    int64_t kernel_rows_ = 1, kernel_columns_ = 1;
};

// What one job writes, as far as it has come.
class VectorWrites : public Uses {
  public:
    VectorWrites(const VectorIssue& issue, Time first, Time delay, Time last)
        : last(last), issue_(issue), first_(first), delay_(delay), waits_(last == NEVER) {}

    Time begin() override {
        if (!found_) return first_ + delay_;
        if (done_ == steps_.size()) return NEVER;
        const int64_t step = steps_[done_];
        if (!waits_) return first_ + step + delay_;
        return step < static_cast<int64_t>(times.size()) ? times[step] + delay_ : NEVER - 1;
    }

    Time end() override { return last < NEVER ? last + delay_ : NEVER - 1; }

    void write(Taken& taken) override {
        if (!found_) issue_.find_results(steps_, banks_), found_ = true;
        for (; done_ < steps_.size(); ++done_) {
            const int64_t step = steps_[done_];
            if (waits_ && step >= static_cast<int64_t>(times.size())) return;
            const Time time = (waits_ ? times[step] : first_ + step) + delay_;
            taken.reach(time);
            taken[time] |= banks_[done_];
        }
    }

    Time last;
    std::vector<Time> times;

  private:
    const VectorIssue issue_;
    const Time first_, delay_;
    const bool waits_;
    bool found_ = false;
    size_t done_ = 0;
    std::vector<int64_t> steps_;
    std::vector<uint8_t> banks_;
};

// Carries out VECTOR jobs one after the other; reads wait while the feeder has their bank.
class Vector {
  public:
    // Its writes are known so many cycles after the cycle it has been advanced to.
    Time writes_ahead() const { return config_.pixel_done - WRITE_TO_DONE; }

    Vector(const Config& config, ActivationBuffer& buffer, Agenda& agenda,
           std::function<void(Time)> completed)
        : config_(config), buffer_(buffer), agenda_(agenda), completed_(std::move(completed)) {
        alarm_.callback = [this](Time now) { look(now); };
    }

    // First cycle whose banks it may still ask for.
    Time position() const { return writes_ ? time_ : NEVER; }

    // Take a job in a cycle.
    void start(Time time, Instruction loops, Instruction requantize, Instruction work) {
        const VectorIssue issue(config_, loops, requantize, work);
        const int64_t late = THRESHOLD_CYCLES[requantize[VECTOR_REQUANTIZE_threshold_bits]];
        const Time first = time + config_.vector_start + late;
        active += issue.taken;
        counts.push_back(issue.results);
        delay_ = issue.from_words ? config_.word_done : config_.pixel_done;
        const Time last = issue.reads ? NEVER : first + issue.count - 1;
        auto writes = std::make_shared<VectorWrites>(issue, first, delay_ - WRITE_TO_DONE, last);
        buffer_.writes.expect(writes);
        if (!issue.reads) {
            stalls.push_back(0);
            end(last);
            return;
        }
        writes_ = std::move(writes), banks_ = issue.banks();
        writes_->times.reserve(banks_.size());
        step_ = 0, time_ = first_ = first, free = NEVER;
        agenda_.at(alarm_, first + issue.count - 1 + PATIENCE);
    }

    // Go on up to a cycle, of which the feeder's reads are known.
    void advance(Time upto) {
        if (!writes_ || time_ > upto) return;
        Taken& taken = buffer_.reads.upto(upto);
        for (; time_ <= upto && step_ < banks_.size(); ++time_) {
            if (banks_[step_] & taken[time_]) continue;
            taken[time_] |= banks_[step_++];
            writes_->times.push_back(time_);
        }
        if (step_ < banks_.size()) return;
        const Time last = writes_->times.back();
        stalls.push_back(last + 1 - first_ - static_cast<Time>(banks_.size()));
        writes_->last = last;
        writes_.reset();
        end(last);
    }

    Time free = 0;
    int64_t active = 0;
    std::vector<Time> stalls, counts;

  private:
    // The feeder's reads are known up to so many cycles ahead; and the end of a job is looked for
    // so many cycles after it may have come.
    static constexpr Time AHEAD = 2, PATIENCE = 4;

    void end(Time last) {
        free = last + delay_;
        completed_(free);
    }

    void look(Time now) {
        advance(now + AHEAD);
        if (!writes_) return;
        const Time left = banks_.size() - step_;
        agenda_.at(alarm_, std::max(now + 1, time_ + left - 1 + PATIENCE));
    }

    const Config& config_;
    ActivationBuffer& buffer_;
    Agenda& agenda_;
    std::function<void(Time)> completed_;
    Agenda::Alarm alarm_;
    std::shared_ptr<VectorWrites> writes_;
    std::vector<uint8_t> banks_;
    size_t step_ = 0;
    Time time_ = 0, first_ = 0, delay_ = 0;
};

}  // namespace shiftloom

#endif
